"""Approve, evacuate and apply as people do: commands beside a daemon, on vCenter over the wire."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.control.conftest import has_carried_out, in_mode
from tests.support.builders import host, snapshot, vm
from tests.support.commands import balancer
from tests.support.stage import running_daemon, wait_until, write_inventory, write_stage
from tests.support.vcenter import VCenterProcess, start_vcenter

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(600)]


def listed(config: Path) -> list[dict[str, object]]:
    """Return the kept plans, newest first."""
    done = balancer("plans", "--format", "json", config=config)
    plans = json.loads(done.out)["plans"] if done.code == 0 else []
    assert isinstance(plans, list)
    return plans


def waiting(config: Path) -> list[dict[str, object]]:
    return [one for one in listed(config) if one["state"] == "waiting"]


def test_an_approved_plan_is_carried_out_at_once_and_only_once(
    tmp_path: Path, server: VCenterProcess, config: Path
) -> None:
    in_mode(config, "manual", interval_s=3600)
    with running_daemon(tmp_path, config) as daemon:
        wait_until("a plan waits", lambda: bool(daemon.events("cycle ended")), within_s=120)
        assert server.control.relocations() == ()
        plan = waiting(config)[0]
        digest = str(plan["digest"])
        done = balancer("approve", digest[:12], config=config)
        assert done.code == 0, done.err
        wait_until("moves", lambda: bool(server.control.relocations()), within_s=120)
        wait_until("it is taken up", lambda: bool(daemon.events("approved plan")), within_s=120)
        again = balancer("approve", str(plan["number"]), config=config)
        assert again.code == 4
        assert "carried out" in again.err or "approved already" in again.err
        wait_until("the plan is carried out", lambda: has_carried_out(daemon), within_s=150)
        assert {row["state"] for row in rows(config)} == {"done"}
        assert {one.state for one in server.control.relocations()} == {"success"}
        (used,) = (one for one in listed(config) if one["number"] == plan["number"])
        assert used["state"] == "used"
    made = rows(config)
    assert {row["plan_id"] for row in made} == {plan["id"]}
    told = balancer("report", "--plan", str(plan["number"]), "--format", "json", config=config)
    assert told.code == 0, told.err
    report = json.loads(told.out)
    moves = [move for batch in report["batches"] for move in batch["moves"]]
    assert [move["row"] for move in moves] == [row["row"] for row in made]
    assert all(move["from_name"] != move["from"] for move in moves)
    ended = [move for move in moves if move["state"] == "done"]
    assert ended
    assert all(move["seconds"] > 0.0 for move in ended)


def rows(config: Path) -> list[dict[str, object]]:
    done = balancer("journal", "list", "--format", "json", config=config)
    assert done.code == 0, done.err
    found = json.loads(done.out)["rows"]
    assert isinstance(found, list)
    return found


def test_a_rejected_plan_moves_nothing(
    tmp_path: Path, server: VCenterProcess, config: Path
) -> None:
    in_mode(config, "manual", interval_s=3600)
    with running_daemon(tmp_path, config) as daemon:
        wait_until("a plan waits", lambda: bool(daemon.events("cycle ended")), within_s=120)
        number = str(waiting(config)[0]["number"])
        assert balancer("reject", number, config=config).code == 1  # no reason
        assert balancer("reject", number, "--reason", "release day", config=config).code == 0
        said = balancer("approve", number, config=config)
        assert said.code == 4
        assert "release day" in said.err
    applied = balancer("apply", number, config=config)
    assert applied.code == 4
    assert "was rejected by" in applied.err
    assert server.control.relocations() == ()


def vms_on(server: VCenterProcess, host: str) -> tuple[str, ...]:
    return next(one.vms for one in server.control.state().hosts.values() if one.id == host)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[VCenterProcess]:
    """Serve three hosts with VMs that nothing holds where they are."""
    vms = [vm(n, on=1 + n % 3, name=f"web-{n}") for n in range(1, 13)]
    with start_vcenter(
        write_inventory(tmp_path, snapshot([host(1), host(2), host(3)], vms))
    ) as process:
        yield process


def test_a_host_is_emptied_and_kept_empty_until_that_is_cancelled(
    tmp_path: Path, plain: VCenterProcess
) -> None:
    config = in_mode(write_stage(tmp_path, plain, "prod"), "partial")
    with running_daemon(tmp_path, config) as daemon:
        wait_until("a cycle", lambda: bool(daemon.events("cycle ended")), within_s=120)
        unknown = balancer("evacuate", "esx", config=config)
        assert unknown.code == 1
        assert "There is no host 'esx' among the 3" in unknown.err
        done = balancer("evacuate", "esx2", "--reason", "new fans", config=config)
        assert done.code == 0, done.err
        wait_until("it is empty", lambda: not vms_on(plain, "host-2"), within_s=150)
        assert "new fans" in balancer("evacuate", "--list", config=config).out
        assert "already" in balancer("evacuate", "host-2", config=config).out
        assert {row["reason"] for row in rows(config)} == {"requested"}
        assert balancer("evacuate", "esx2", "--cancel", config=config).code == 0
        assert "No host is to be emptied" in balancer("evacuate", "--list", config=config).out


def test_a_plan_file_is_applied_while_it_fits_and_refused_once_it_is_stale(
    tmp_path: Path, server: VCenterProcess, config: Path
) -> None:
    in_mode(config, "observe")
    file = tmp_path / "plan.json"
    made = balancer("plan", "--format", "json", "--output", file, config=config)
    assert made.code in (0, 3), made.err
    plan = json.loads(file.read_text(encoding="utf-8"))
    first = plan["moves"][0]

    observed = balancer("apply", file, config=config)
    assert observed.code == 4
    assert "observe" in observed.out

    in_mode(config, "manual")
    host_now = next(
        h for h in server.control.state().hosts if h not in (first["from"], first["to"])
    )
    server.control.move(first["vm"], host_now)
    stale = balancer("apply", file, config=config)
    assert stale.code == 4, stale.out + stale.err
    assert f"VM {first['vm_name']} was on {first['from_name']}, is on" in stale.out
    sent = len(server.control.relocations())

    server.control.move(first["vm"], first["from"])
    file.write_text(json.dumps(plan | {"moves": plan["moves"][1:]}), encoding="utf-8")
    changed = balancer("apply", file, config=config)
    assert changed.code == 4
    assert "was changed after it was made" in changed.err

    file.write_text(json.dumps(plan), encoding="utf-8")
    done = balancer("apply", file, config=config)
    assert done.code in (0, 5), done.out + done.err
    assert len(server.control.relocations()) > sent
    again = balancer("apply", file, config=config)
    assert again.code == 4
    assert "carried out" in again.err
