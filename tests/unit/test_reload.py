"""A changed configuration: all of it is taken up or nothing, and what is refused is told once with all problems."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from balancer.config import Config, load_config
from balancer.expose.health import Health
from balancer.expose.metrics import Metrics
from balancer.policy.mode import Mode
from balancer.reload import Reloading, version_of
from balancer.watch import Link, Watch
from tests.support.builders import NOON, host, snapshot
from tests.support.fakes import FakeClock, ScriptedVCenter

CONFIG = """\
vcenters:
  - {name: vc1, host: vc.example.com, username: u, password_file: pw}
clusters:
  - {vcenter: vc1, name: prod, mode: MODE, policies: [./own.yaml]}
journal: {path: journal.sqlite}
"""
POLICY = "apiVersion: balancer/v1\nkind: Policy\nlimits: {moves_per_run_at_most: 7}\n"


class Scene:
    """A configuration on disk, and what has been taken up of it."""

    def __init__(self, folder: Path) -> None:
        self.config, self.policy = folder / "config.yaml", folder / "own.yaml"
        self.policy.write_text(POLICY)
        self.write(mode="observe")
        clock = FakeClock()
        vcenter = ScriptedVCenter(snapshot([host(1)], []), clock)
        link = Link(name="vc1", inventory=vcenter, migrator=vcenter, close=lambda: None)
        self.metrics = Metrics(clock)
        self.health = Health(clock, vcenters={}, loops={})
        self.taken: list[Sequence[Watch]] = []
        self.announcements: list[str] = []
        self.reloading = Reloading(
            version_of(self.config, load_config(self.config)),
            links={"vc1": link},
            take=self.taken.append,
            metrics=self.metrics,
            health=self.health,
            announced=self.announced,
        )

    @contextmanager
    def announced(self) -> Iterator[None]:
        self.announcements.append("reloading")
        yield
        self.announcements.append("ready")

    def write(self, *, mode: str, more: str = "") -> None:
        self.config.write_text(CONFIG.replace("MODE", mode) + more)

    def look(self, times: int = 2) -> None:
        for _ in range(times):
            self.reloading.look()

    @property
    def is_accepted(self) -> bool:
        page = self.metrics.page()[0].decode()
        return "balancer_config_last_reload_successful 1.0" in page

    @property
    def notes(self) -> list[str]:
        return [note.why for note in self.health.readiness().notes]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture(autouse=True)
def log_settings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Keep the logging of the test run, and what was asked of it."""
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr("balancer.reload.configure_logging", lambda *given: asked.append(given))
    return asked


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [record for record in caplog.records if record.levelno == logging.ERROR]
    return [str(record.__dict__["error"]) for record in records]


def test_a_changed_configuration_is_taken_up_once_it_has_settled(scene: Scene) -> None:
    scene.write(mode="partial")

    scene.look(1)
    assert scene.taken == []
    scene.look(3)

    ((watch,),) = scene.taken
    assert watch.mode is Mode.PARTIAL
    assert scene.is_accepted


def test_a_changed_policy_is_taken_up_too(scene: Scene) -> None:
    scene.policy.write_text(POLICY.replace("7", "9"))

    scene.look()

    ((watch,),) = scene.taken
    assert watch.policies.at(NOON).limits.moves_per_run_at_most == 9


def test_files_that_stay_as_they_are_are_not_read_again(scene: Scene) -> None:
    scene.config.touch()

    scene.look(3)

    assert scene.taken == []


def test_a_swapped_symbolic_link_counts_as_a_change(tmp_path: Path) -> None:
    first, second, link = tmp_path / "v1", tmp_path / "v2", tmp_path / "data"
    for folder, mode in ((first, "observe"), (second, "manual")):
        folder.mkdir()
        (folder / "config.yaml").write_text(CONFIG.replace("MODE", mode))
        (folder / "own.yaml").write_text(POLICY)
    scene = Scene(first)
    link.symlink_to(first)
    scene.config = link / "config.yaml"
    scene.reloading = Reloading(
        version_of(scene.config, load_config(scene.config)),
        links=scene.reloading._links,
        take=scene.taken.append,
        metrics=scene.metrics,
        health=scene.health,
    )

    fresh = tmp_path / "fresh"
    fresh.symlink_to(second)
    fresh.replace(link)
    scene.look()

    ((watch,),) = scene.taken
    assert watch.mode is Mode.MANUAL


def test_a_bad_version_is_refused_with_every_problem_and_told_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.write(mode="automatik", more="htp: {}\n")
    scene.policy.write_text(POLICY.replace("7", "-7"))

    scene.look(5)

    assert scene.taken == []
    assert not scene.is_accepted
    (told,) = refusals(caplog)
    for words in ("did you mean 'automatic'?", "unknown key 'htp'", "moves_per_run_at_most: -7"):
        assert words in told
    assert scene.notes
    assert "did you mean 'automatic'?" in scene.notes[0]


def test_a_version_that_is_put_right_is_taken_up_and_nothing_is_said_against_it_any_more(
    scene: Scene,
) -> None:
    scene.write(mode="automatik")
    scene.look()
    scene.write(mode="observe")

    scene.look()

    assert scene.is_accepted
    assert scene.notes == []


def test_a_policy_that_comes_later_than_the_configuration_that_names_it_is_found(
    scene: Scene, tmp_path: Path
) -> None:
    scene.config.write_text(CONFIG.replace("MODE", "observe").replace("own", "later/own"))
    scene.look(3)
    assert not scene.is_accepted
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "own.yaml").write_text(POLICY.replace("7", "3"))

    scene.look()

    ((watch,),) = scene.taken
    assert watch.policies.at(NOON).limits.moves_per_run_at_most == 3


def test_a_policy_that_is_put_before_a_shipped_one_of_its_name_counts(
    scene: Scene, tmp_path: Path
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    text = scene.config.read_text().replace("./own.yaml", "balanced")
    scene.config.write_text(f"{text}policy_folder: policies\n")
    scene.look()
    (folder / "balanced.yaml").write_text(POLICY.replace("7", "5"))

    scene.look()

    ((first,), (second,)) = scene.taken
    assert first.policies.at(NOON).limits.moves_per_run_at_most == 20
    assert second.policies.at(NOON).limits.moves_per_run_at_most == 5


@pytest.mark.parametrize(
    ("more", "setting"),
    [
        ("http: {port: 9999}\n", "http.port"),
        ("http: {listen: '::1'}\n", "http.listen"),
        ("planning: {processes: 3}\n", "planning.processes"),
    ],
)
def test_what_needs_a_restart_is_refused_as_a_whole(
    scene: Scene, caplog: pytest.LogCaptureFixture, more: str, setting: str
) -> None:
    scene.write(mode="automatic", more=more)

    scene.look()

    assert scene.taken == []
    (told,) = refusals(caplog)
    assert f"{setting}: changed; allowed: only at a start" in told
    assert "restart the daemon" in told


def test_another_vcenter_needs_a_restart_and_its_values_are_not_told(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    text = scene.config.read_text().replace("username: u", "username: somebody")
    scene.config.write_text(text)

    scene.look()

    (told,) = refusals(caplog)
    assert "vcenters[0].username: changed" in told
    assert "somebody" not in told


def test_a_request_reads_at_once_and_is_answered_even_if_nothing_has_changed(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        scene.reloading.reload()
        scene.write(mode="manual")
        scene.reloading.reload()
        scene.write(mode="manuel")
        scene.reloading.reload()
        scene.reloading.reload()

    assert [record.msg for record in caplog.records] == [
        "configuration unchanged",
        "configuration loaded",
        "configuration refused, the old one stays in force",
        "configuration refused, the old one stays in force",
    ]
    assert len(scene.taken) == 1


def test_every_reload_that_is_asked_for_is_announced_and_of_the_others_those_that_are_taken(
    scene: Scene,
) -> None:
    scene.write(mode="automatik")
    scene.look(4)
    assert scene.announcements == []
    scene.write(mode="manual")
    scene.look()
    assert scene.announcements == ["reloading", "ready"]

    scene.reloading.reload()
    scene.write(mode="automatik")
    scene.reloading.reload()

    assert scene.announcements == ["reloading", "ready"] * 3


def test_a_configuration_that_cannot_be_read_leaves_the_old_one_in_force(scene: Scene) -> None:
    scene.config.unlink()

    scene.look()

    assert scene.taken == []
    assert not scene.is_accepted


def test_the_log_takes_its_new_level(scene: Scene, log_settings: list[tuple[str, str]]) -> None:
    scene.write(mode="observe", more="log: {level: debug}\n")

    scene.look()

    assert log_settings == [("auto", "debug")]


def test_what_changes_while_it_is_read_is_left_to_the_next_look(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = iter(["partial"])

    def read_and_changed(path: Path) -> Config:
        config = load_config(path)
        for mode in changes:
            scene.write(mode=mode)
        return config

    monkeypatch.setattr("balancer.reload.load_config", read_and_changed)
    scene.write(mode="manual")

    scene.look(2)
    assert scene.taken == []
    scene.look(2)

    ((watch,),) = scene.taken
    assert watch.mode is Mode.PARTIAL
