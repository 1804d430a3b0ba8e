"""The test vCenter's own unit tests, which are written in Go, belong to the suite."""

from tests.support.vcenter import find_go, require_vcenter_binary, run_go


def test_the_go_unit_tests_pass() -> None:
    require_vcenter_binary()
    result = run_go(find_go(), "test", "./...")
    assert result.returncode == 0, result.stdout + result.stderr
