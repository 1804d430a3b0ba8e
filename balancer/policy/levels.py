"""What DRS's migration threshold, 1 (most conservative) to 5 (most aggressive), stands for in our settings.

Owns that table and nothing else; `policy.load` lays a level under what the same file sets itself. Level 3
is the defaults. Every level sets the same settings, so that one takes the place of another completely.

Source: VMware, "vSphere Resource Management", vSphere 8, "DRS Migration Threshold": level 1 applies only
the recommendations that must be taken to satisfy constraints such as rules and maintenance, each further
level those of the next priority as well. The figures are ours; docs/understand/objective.md shows what
they come to on the benchmark's clusters.
"""

from collections.abc import Mapping
from types import MappingProxyType

Settings = Mapping[str, Mapping[str, object]]
"""Section of a policy to setting to value, as a document has them."""

LEVELS = range(1, 6)


def _level(
    *, load: bool, trigger: float, target: float, benefit: float, price: float, soft_rule: float
) -> Settings:
    return MappingProxyType(
        {
            "goals": MappingProxyType({"contention": load, "balance": load}),
            "thresholds": MappingProxyType(
                {
                    "balance_trigger": trigger,
                    "balance_target": target,
                    "minimum_benefit": benefit,
                }
            ),
            "prices": MappingProxyType({"move_price": price, "soft_rule": soft_rule}),
        }
    )


_SETTINGS: Mapping[int, Settings] = MappingProxyType(
    {
        1: _level(load=False, trigger=0.1, target=0.06, benefit=0.0, price=1.2e-4, soft_rule=0.0),
        2: _level(load=True, trigger=0.1, target=0.06, benefit=0.2, price=1.2e-4, soft_rule=2e-3),
        3: _level(load=True, trigger=0.05, target=0.025, benefit=0.0, price=3e-5, soft_rule=2e-3),
        4: _level(load=True, trigger=0.03, target=0.015, benefit=0.0, price=1e-5, soft_rule=2e-3),
        5: _level(load=True, trigger=0.015, target=0.0075, benefit=0.0, price=3e-6, soft_rule=2e-3),
    }
)


def level_settings(level: int) -> Settings:
    """Return what a migration threshold sets, by section; the same settings for every level.

    1 makes mandatory moves alone (evacuations and must-rules; should-rules neither count nor are mended),
    2 relieves contended hosts and levels what is far from level, 3 are the defaults, 4 and 5 level further
    and for less gain.

    Raises:
        KeyError: the level is not one of `LEVELS`.
    """
    return _SETTINGS[level]
