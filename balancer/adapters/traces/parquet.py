"""A matrix of figures over time from a Parquet file, by pyarrow where that is installed."""

from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from balancer.adapters.traces.faults import Faults, refused
from balancer.adapters.traces.matrix import Floats, Matrix, columns_of
from balancer.adapters.traces.mends import Ledger, MendRule
from balancer.adapters.traces.text import read_content

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(path: Path, ledger: Ledger) -> Matrix:
    """Read a matrix from Parquet: the first column is time, each other one a VM. Rows count from 1.

    Raises:
        InputError: pyarrow is not installed, or the file is no such matrix.
    """
    table = _table(path)
    vms = columns_of(path, table.column_names)
    if not table.num_rows:
        raise refused(path, "has no row of figures", hint="copy or export the file anew")
    columns, faults = [], Faults(path)
    for number, name in enumerate(vms, start=1):
        columns.append(_figures(table.column(number), name, faults))
    faults.check()
    figures = np.column_stack(columns)
    rows = tuple(range(1, table.num_rows + 1))
    matrix = Matrix(
        path=path,
        time=table.column_names[0],
        vms=vms,
        stamps=_stamps(table.column(0)),
        rows=rows,
        figures=np.where(np.isfinite(figures), figures, np.nan),
    )
    at_rows, at_vms = np.nonzero(np.isinf(figures))
    places = [matrix.place(int(row), int(vm)) for row, vm in zip(at_rows, at_vms, strict=True)]
    ledger.note(MendRule.NOT_A_NUMBER, len(places), places)
    return matrix


def _table(path: Path) -> "pa.Table":
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional part, and slow to import
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as err:
        hint = "pip install 'vsphere-balancer[lab]', or write the trace as CSV"
        raise refused(
            path, "Parquet is read by pyarrow, which is not installed", hint=hint
        ) from err
    try:
        return pq.read_table(BytesIO(read_content(path)))
    except (pa.ArrowException, OSError) as err:
        why = str(err).splitlines()[0].split(". ")[0][:120]
        found = f"is no Parquet file, or cut short: {why}"
        raise refused(path, found, hint="copy or export it anew") from err


def _figures(column: "pa.ChunkedArray", name: str, faults: Faults) -> Floats:
    import pyarrow as pa  # noqa: PLC0415

    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        faults.add(f"column {name[:60]}", f"holds {kind}", allowed="numbers, or null for no sample")
        return np.full(len(column), np.nan)
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _stamps(column: "pa.ChunkedArray") -> tuple[str, ...]:
    values = column.to_pylist()
    return tuple(_stamp(value) for value in values)


def _stamp(value: object) -> str:
    """Return a time as CSV would give it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return "" if value is None else str(value)
