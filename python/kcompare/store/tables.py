"""Digest tables as numpy arrays: views over the rows that the native module writes, never copies of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Table = "NDArray[np.void]"

_LANES = [
    ("count", "<u8"),
    ("content", "<u8", (2,)),
    ("timestamps", "<u8", (2,)),
    ("offsets", "<u8", (2,)),
    ("sum_content", "<u8", (2,)),
    ("sum_joint", "<u8", (2,)),
]

GAPS = ("control", "aborted", "compacted", "unexplained", "uncovered")
"""The columns of ``gaps``, in the order of the native module."""

CELL_DTYPE = np.dtype(
    [
        ("start", "<i8"),
        ("stop", "<i8"),
        ("first_offset", "<i8"),
        ("last_offset", "<i8"),
        ("min_timestamp", "<i8"),
        ("max_timestamp", "<i8"),
        ("bytes", "<u8"),
        ("batches", "<u4"),
        ("log_append_batches", "<u4"),
        ("gaps", "<u8", (len(GAPS),)),
        ("anchors", "<u8"),
        *_LANES,
        ("reserved", "<u8"),
    ]
)
"""One cell: the records whose offsets lie in ``[start, stop)``; a 128-bit digest is two 64-bit halves, low first."""

ANCHOR_DTYPE = np.dtype([("offset", "<i8"), ("context", "<u8"), *_LANES])
"""One anchor: the lanes of its cell up to and including the record at ``offset``."""

ROW_DTYPE = np.dtype(
    [
        ("offset", "<i8"),
        ("timestamp", "<i8"),
        ("content", "<u8", (2,)),
        ("key", "<u8", (2,)),
        ("value", "<u8", (2,)),
        ("headers", "<u8", (2,)),
        ("key_bytes", "<i4"),
        ("value_bytes", "<i4"),
        ("header_count", "<i4"),
        ("flags", "<u4"),
    ]
)
"""One record without its bytes; lengths are -1 for null."""


def cells(rows: bytes) -> NDArray[Any]:
    """Views cell rows; shape ``(cells,)`` of :data:`CELL_DTYPE`."""
    return np.frombuffer(rows, dtype=CELL_DTYPE)


def anchors(rows: bytes) -> NDArray[Any]:
    """Views anchor rows; shape ``(anchors,)`` of :data:`ANCHOR_DTYPE`."""
    return np.frombuffer(rows, dtype=ANCHOR_DTYPE)


def records(rows: bytes) -> NDArray[Any]:
    """Views record rows; shape ``(records,)`` of :data:`ROW_DTYPE`."""
    return np.frombuffer(rows, dtype=ROW_DTYPE)


def uncovered_cell(start: int, stop: int) -> bytes:
    """A cell row for offsets of which nothing was read."""
    row = np.zeros(1, dtype=CELL_DTYPE)
    row["start"], row["stop"] = start, stop
    row["first_offset"] = row["last_offset"] = -1
    row["gaps"][0, GAPS.index("uncovered")] = stop - start
    return row.tobytes()
