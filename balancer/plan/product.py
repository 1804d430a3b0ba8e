"""Matrix products with the same bits on every processor.

Owns how the search multiplies. BLAS, which `@` calls, has other kernels for each family of processors: they round
differently, and within one product by the place in the matrix. Of two hosts that are alike one would then look
better by the last bit, and another one on the next machine: the same snapshot, another plan. `einsum` adds up in
one order everywhere. Matrices here are narrow (three to six figures of a unit), so that it takes two or three times
as long in a place that takes a few per cent of the search.
"""

import numpy as np

from balancer.plan.codes import Bools, Floats

_SUBSCRIPTS = {(1, 2): "j,jk->k", (2, 1): "ij,j->i", (2, 2): "ij,jk->ik"}


def product(left: Floats | Bools, right: Floats, out: Floats | None = None) -> Floats:
    """Return `left @ right`, of vectors and matrices; where `out` is given, in it."""
    result: Floats = np.einsum(_SUBSCRIPTS[left.ndim, right.ndim], left, right, out=out)
    return result
