"""The ends of topics as one screen: the last records of each partition, then how far apart the ends lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.report.layout import counted, first_lines, milliseconds, number, table, timestamp
from kcompare.report.sanitize import cut, sanitize
from kcompare.report.sentence import error_line

if TYPE_CHECKING:
    from kcompare.model import TailPartition, TailRecord, TailReport, TailView

VALUE_WIDTH = 60
KEY_WIDTH = 24
"""Characters of a key or value on a line; ``--output json`` holds them whole."""

SHOWN_ERRORS = 20


def tail_text(report: TailReport) -> str:
    """The whole report, each line sanitized."""
    blocks = [block for view in report.views for block in _view(view)]
    if report.errors:
        errors = [error_line(error) for error in report.errors]
        blocks.append(first_lines(errors, SHOWN_ERRORS, "--output json lists every one"))
    return "\n\n".join("\n".join(sanitize(line) for line in block) for block in blocks) + "\n"


def _view(view: TailView) -> list[list[str]]:
    """A view's heading, a block a partition, and the comparison of the ends."""
    blocks = [[view.view, *_path(view)]]
    if view.notes:
        blocks[0].append(f"notes: {', '.join(view.notes)}")
    blocks += [_partition(partition) for partition in view.partitions]
    if view.partitions:
        blocks.append(_ends(view))
    return blocks


def _path(view: TailView) -> list[str]:
    """What read the view, where there is a reason to tell."""
    if view.data_path is None:
        return []
    return [f"path: {view.data_path}" + (f" ({view.data_path_reason})" if view.data_path_reason else "")]


def _partition(partition: TailPartition) -> list[str]:
    heading = f"partition {partition.partition}: offsets [{partition.log_start_offset}, {partition.stop})"
    if partition.error is not None:
        return [f"{heading}, not read: {partition.error}"]
    if not partition.records:
        return [f"{heading}, no records"]
    lines = [f"{heading}, last {counted(len(partition.records), 'record')}"]
    shown = any(record.key is not None or record.value is not None for record in partition.records)
    header: tuple[str, ...] = ("offset", "timestamp", "key", "value")
    rows = [_row(record) for record in partition.records]
    if shown:
        header += ("key text", "value text")
        rows = [row + _payloads(record) for row, record in zip(rows, partition.records, strict=True)]
    return lines + [f"  {line}" for line in table(header, rows, left_aligned=(1, 4, 5))]


def _row(record: TailRecord) -> tuple[str, ...]:
    return (
        str(record.offset),
        timestamp(record.timestamp),
        _bytes(record.key_bytes),
        _bytes(record.value_bytes),
    )


def _bytes(length: int) -> str:
    return "null" if length < 0 else f"{number(length)} B"


def _payloads(record: TailRecord) -> tuple[str, ...]:
    key = "" if record.key is None else cut(record.key, KEY_WIDTH)
    return key, "" if record.value is None else cut(record.value, VALUE_WIDTH)


def _ends(view: TailView) -> list[str]:
    """Where each partition ends, the skew between the ends, and the longest prefix that all of them have."""
    known = [part.last_timestamp for part in view.partitions if part.last_timestamp is not None]
    newest = max(known, default=None)
    rows = [
        (str(part.partition), str(part.stop), timestamp(part.last_timestamp), _behind(part, newest))
        for part in view.partitions
    ]
    lines = ["ends"]
    lines += [f"  {line}" for line in table(("partition", "stop", "last timestamp", "behind"), rows, left_aligned=(2,))]
    if view.end_skew_ms is not None:
        lines.append(f"  skew between partition heads: {milliseconds(view.end_skew_ms)}")
    if view.common_prefix_stop is not None:
        shortest = [str(part.partition) for part in view.partitions if part.stop == view.common_prefix_stop]
        whose = f" (partition {shortest[0]} ends first)" if shortest else ""
        lines.append(f"  biggest common prefix: offsets below {view.common_prefix_stop}{whose}")
    return lines


def _behind(partition: TailPartition, newest: int | None) -> str:
    if partition.last_timestamp is None or newest is None:
        return "-"
    return milliseconds(newest - partition.last_timestamp)
