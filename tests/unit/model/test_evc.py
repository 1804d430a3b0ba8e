"""The order of EVC modes comes from what the server lists."""

import pytest

from balancer.model.evc import EvcMode, EvcOrder

MODES = [
    EvcMode(key="amd-rev-e", vendor="amd", tier=0, track=frozenset({"amd-rev-e"})),
    EvcMode(key="amd-no3dnow", vendor="amd", tier=3, track=frozenset({"amd-rev-e", "amd-no3dnow"})),
    EvcMode(key="amd-3dnow", vendor="amd", tier=3, track=frozenset({"amd-rev-e", "amd-3dnow"})),
    EvcMode(key="intel-merom", vendor="intel", tier=0, track=frozenset({"intel-merom"})),
]


@pytest.mark.parametrize(
    ("host_mode", "needed", "runs"),
    [
        pytest.param("amd-no3dnow", "amd-rev-e", True, id="newer runs older of its track"),
        pytest.param("amd-rev-e", "amd-no3dnow", False, id="older does not run newer"),
        pytest.param("amd-no3dnow", "amd-3dnow", False, id="same tier, other track"),
        pytest.param("intel-merom", "amd-rev-e", False, id="other vendor"),
        pytest.param("amd-rev-e", "intel-future", None, id="unknown key is not comparable"),
        pytest.param("x-unknown", "x-unknown", True, id="a mode runs itself, known or not"),
    ],
)
def test_which_mode_runs_which(host_mode: str, needed: str, runs: bool | None) -> None:
    assert EvcOrder(MODES).can_run(host_mode, needed) is runs
