"""The options of `balancer lab whatif` as people write them."""

import pytest

from balancer.lab.whatif_change import NewHosts, NewVms, Size
from balancer.lab.whatif_options import read_change
from balancer.model.errors import InputError


def test_options_become_a_change() -> None:
    change = read_change(
        ["a"],
        ["b"],
        ["2", "1:like=esx:1, old"],
        ["3:like=x=y", "4:vcpus=2, memory_gib=1.5,cpu_mhz=0"],
    )
    assert (change.remove_hosts, change.fail_hosts) == (("a",), ("b",))
    assert change.add_hosts == (NewHosts(count=2), NewHosts(count=1, like="esx:1, old"))
    size = Size(vcpus=2, memory_mib=1536.0, cpu_mhz=0.0)
    assert change.add_vms == (NewVms(count=3, like="x=y"), NewVms(count=4, size=size))


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("", "'' is no number"),
        ("-1", "'-1' is no number"),
        ("\u0663", "is no number"),
        ("9" * 5000, "is no number"),
        ("1:", "'' is not known"),
        ("1:like=", "'like' is not known"),
        ("1:vcpus=2", "memory_gib, cpu_mhz not given"),
        ("1:vcpus=2,vcpus=3", "'vcpus' is given twice"),
        ("1:vcpus=1.5,memory_gib=1,cpu_mhz=1", "vcpus is '1.5'"),
        ("1:vcpus=1,memory_gib=0,cpu_mhz=1", "memory_gib is '0'"),
        ("1:vcpus=1,memory_gib=nan,cpu_mhz=1", "memory_gib is 'nan'"),
        ("1:vcpus=1,memory_gib=1,cpu_mhz=-1", "cpu_mhz is '-1'"),
        ("1:vcpus=1,memory_gib=inf,cpu_mhz=1", "memory_gib is 'inf'"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_is_allowed(word: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        read_change([], [], [], [word])
    assert told in str(caught.value)
    assert "allowed: N, N:like=VM" in str(caught.value)


def test_hosts_have_no_size_and_all_mistakes_are_told() -> None:
    with pytest.raises(InputError) as caught:
        read_change([], [], ["1:vcpus=2", "x"], ["y"])
    assert len(caught.value.problems) == 3
