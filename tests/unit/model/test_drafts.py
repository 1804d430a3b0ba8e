"""A changed copy is the one that `dataclasses.replace` makes, with the same checks."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from balancer.model.drafts import all_changed, changed, maker_of
from balancer.model.need import Demand
from tests.support import builders

VALUES: dict[str, Any] = {"name": "new", "tags": frozenset({"a"}), "cpu_usage_mhz": 7.0}


@pytest.mark.parametrize("item", [builders.vm(1, on=1), builders.host(1)], ids=["vm", "host"])
def test_a_copy_is_the_one_that_replace_makes(item: Any) -> None:
    values = VALUES if hasattr(item, "tags") else {"name": "new"}
    found = changed(item, **values)
    assert found == replace(item, **values)
    assert type(found) is type(item)
    assert item.name != "new"


def test_a_copy_is_checked() -> None:
    with pytest.raises(ValueError, match="negative"):
        changed(builders.vm(1, on=1), cpu_usage_mhz=-1.0)
    with pytest.raises(TypeError, match="novel"):
        changed(builders.vm(1, on=1), novel=1)


def test_copies_of_many_each_have_their_own_values() -> None:
    items = [builders.vm(number, on=1) for number in (1, 2)]
    found = all_changed(items, {"name": ["a", "b"]})
    assert found == (replace(items[0], name="a"), replace(items[1], name="b"))
    assert all_changed([], {"name": []}) == ()


def test_copies_of_many_are_checked() -> None:
    with pytest.raises(ValueError, match="negative"):
        all_changed([builders.vm(1, on=1)], {"cpu_usage_mhz": [-1.0]})
    with pytest.raises(TypeError, match="novel"):
        all_changed([builders.vm(1, on=1)], {"novel": [1]})


def test_made_values_are_what_the_class_makes() -> None:
    given: dict[str, Any] = {"cpu_mhz": 1.0, "memory_mib": 2.0, "footprint_mib": 3.0}
    made = maker_of(Demand)(**given, is_measured=False)

    assert made == Demand(**given, is_measured=False)
    assert type(made) is Demand
    with pytest.raises(FrozenInstanceError):
        made.cpu_mhz = 2.0  # type: ignore[misc]
    with pytest.raises(TypeError, match="memory_mib"):
        maker_of(Demand)(cpu_mhz=1.0, footprint_mib=3.0)


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        all_changed([builders.vm(1, on=1), builders.vm(2, on=1)], {"name": ["a"]})
