"""Tables are what the native module writes: sizes, fields, and rows made here that it reads."""

from __future__ import annotations

import numpy as np

from kcompare import _native
from kcompare.store import tables


def test_rows_have_the_sizes_of_the_native_module() -> None:
    assert tables.CELL_DTYPE.itemsize == _native.CELL_BYTES
    assert tables.ANCHOR_DTYPE.itemsize == _native.ANCHOR_BYTES
    assert tables.ROW_DTYPE.itemsize == _native.ROW_BYTES


def test_an_uncovered_cell_accounts_for_its_offsets() -> None:
    (cell,) = tables.cells(tables.uncovered_cell(10, 25))
    assert (int(cell["start"]), int(cell["stop"])) == (10, 25)
    assert (int(cell["first_offset"]), int(cell["last_offset"]), int(cell["count"])) == (-1, -1, 0)
    assert dict(zip(tables.GAPS, cell["gaps"].tolist(), strict=True)) == {
        "control": 0,
        "aborted": 0,
        "compacted": 0,
        "unexplained": 0,
        "uncovered": 15,
    }


def test_the_native_module_reads_an_uncovered_cell() -> None:
    rows = tables.uncovered_cell(10, 25) + tables.uncovered_cell(25, 30)
    found = _native.align(
        left_cells=rows,
        left_anchors=b"",
        left_start=10,
        right_cells=rows,
        right_anchors=b"",
        right_start=10,
        timestamps=True,
        offsets=True,
    )
    assert found.equal
    assert found.left_records == 0


def test_tables_are_views_of_bytes_and_empty_ones_are_empty() -> None:
    for view in (tables.cells, tables.anchors, tables.records):
        assert len(view(b"")) == 0
    table = tables.cells(tables.uncovered_cell(0, 1))
    assert not table.flags.writeable
    assert isinstance(table, np.ndarray)
