"""A changed copy is the one that `dataclasses.replace` makes, with the same checks."""

from dataclasses import replace
from typing import Any

import pytest

from balancer.model.changed import changed
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
