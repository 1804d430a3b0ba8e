"""Which hosts are in the inventory of a recording, slot by slot: some are added in it, some removed.

What the simulated vCenter shows of it is `lab.surroundings`; here is what scores count.
"""

import numpy as np
import numpy.typing as npt

from balancer.lab.scene import Scene

Bools = npt.NDArray[np.bool_]


def there_of(scene: Scene) -> Bools:
    """Return which hosts are there, (slots, hosts)."""
    there = np.ones((scene.trace.slots, len(scene.hosts)), dtype=bool)
    for slot, away in scene.recorded.away_from if scene.recorded else ():
        there[slot:] = [host.id not in away for host in scene.hosts]
    return there
