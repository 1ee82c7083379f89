"""Differences beside ranges that could not be read: told only where the unread records cannot be the counterparts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kcompare.model import OffsetRange, Side, Verdict
from tests.support.clusters import only, reasons
from tests.support.logs import Log, Record, closed_up, log_of, numbered

if TYPE_CHECKING:
    from tests.support.clusters import Clusters

BORDER = 65_536


def damaged(frame: bytes) -> bytes:
    """The same batch with a flipped bit near its end, which its CRC tells."""
    return frame[:-3] + bytes([frame[-3] ^ 0x10]) + frame[-2:]


def spread(count: int, step: int) -> list[Record]:
    """Records so far apart that they fill several cells; holes lie inside batches."""
    return [record.at(index * step) for index, record in enumerate(numbered(count))]


def source_with_markers_in_damage() -> tuple[Log, list[Record]]:
    """A log whose markers all lie in batches that cannot be read; also every record, the unread ones too."""
    log = Log(0)
    first = numbered(400)
    log.write(first, cuts=range(0, 400, 50), stop=BORDER)
    records = list(first)
    begin = len(log.frames)
    for number in range(4):
        part = closed_up(numbered(5, number, text="hidden"), log.end)
        log.transaction(part, committed=True)
        records += part
    log.frames[begin:] = [damaged(frame) for frame in log.frames[begin:]]
    rest = closed_up(numbered(10, text="rest"), log.end)
    log.write(rest)
    return log, records + rest


def test_markers_in_unread_batches_do_not_make_a_mirror_different(clusters: Clusters, side: str) -> None:
    """The mirror has no markers, so behind the damage its offsets are others: nothing there is a difference."""
    source, records = source_with_markers_in_damage()
    behind = closed_up(records[400:], BORDER)
    mirror = Log(0).write(records[:400], cuts=range(0, 400, 30), stop=BORDER).write(behind, cuts=[3])
    logs = ([source], [mirror]) if side == "left" else ([mirror], [source])
    report = clusters.compare(*logs)
    assert report.verdict is Verdict.INCONCLUSIVE, only(report).findings
    assert "corrupt_batch" in reasons(report)


@pytest.mark.parametrize("at", [0, 10, 99])
def test_a_change_before_unread_offsets_is_told(clusters: Clusters, side: str, at: int) -> None:
    records = spread(300, 1000)
    changed = list(records)
    changed[at] = Record(at * 1000, 5, b"other", b"other")
    log = Log(0)
    log.write(records[:200]).write(records[200:210])
    log.frames[-1] = damaged(log.frames[-1])
    log.write(records[210:])
    logs = ([log], [log_of(changed)]) if side == "left" else ([log_of(changed)], [log])
    report = clusters.compare(*logs)
    assert report.verdict is not Verdict.EQUAL
    if report.verdict is Verdict.DIFFERENT:
        first = only(report).first_divergence
        assert first is not None
        assert (first.left_offset, first.right_offset) == (at * 1000, at * 1000)


def test_nothing_is_told_of_records_that_stand_for_unread_ones(clusters: Clusters, side: str) -> None:
    """What the other side has at unread offsets may be their very records."""
    records = numbered(200)
    log = Log(0).write(records[:100]).write(records[100:150])
    log.frames[-1] = damaged(log.frames[-1])
    log.write(records[150:])
    logs = ([log], [log_of(records)]) if side == "left" else ([log_of(records)], [log])
    report = clusters.compare(*logs)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.exit_code == 3


@pytest.mark.parametrize("damage", [[0], [3], [3, 4], [1, 7], [9]])
def test_what_was_read_beside_damage_is_equal_and_nothing_else_is_said(
    clusters: Clusters, side: str, damage: list[int]
) -> None:
    """Every record that was read has its equal at its offset, so there is nothing left that could not be aligned."""
    records = numbered(200)
    log = Log(0).write(records, cuts=range(20, 200, 20))
    log.frames = [damaged(frame) if number in damage else frame for number, frame in enumerate(log.frames)]
    logs = ([log], [log_of(records)]) if side == "left" else ([log_of(records)], [log])
    report = clusters.compare(*logs)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert reasons(report) == {"corrupt_batch"}, only(report).findings
    assert only(report).compared_records == 200 - 20 * len(damage)


@pytest.mark.parametrize("changed", [None, 0, 130, 199])
def test_damage_in_other_places_on_either_side(clusters: Clusters, changed: int | None) -> None:
    """Each side lacks what the other one has there; a change among the rest is still no equality."""
    records = numbered(200)
    others = [Record(r.offset, r.timestamp, r.key, b"other") if r.offset == changed else r for r in records]
    logs = []
    for number, held in ((2, records), (4, others)):
        log = log_of(held, batch=20)
        log.frames[number] = damaged(log.frames[number])
        logs.append(log)
    report = clusters.compare([logs[0]], [logs[1]])
    found = only(report)
    if changed is None:
        assert (report.verdict, reasons(report)) == (Verdict.INCONCLUSIVE, {"corrupt_batch"})
        assert {(one.side, one.left, one.right) for one in found.findings} == {
            (Side.LEFT, OffsetRange(40, 60), None),
            (Side.RIGHT, None, OffsetRange(80, 100)),
        }
    else:
        assert report.verdict is Verdict.DIFFERENT or "not_aligned" in reasons(report)


def test_a_record_that_moved_beside_damage_is_not_passed_over(clusters: Clusters, side: str) -> None:
    """One record more on the other side than the damage has room for: not all of the rest was found to be equal."""
    records = numbered(200)
    log = Log(0).write(records[:100]).write(records[100:120])
    log.frames[-1] = damaged(log.frames[-1])
    log.write([each for each in records[120:] if each.offset != 120])
    logs = ([log], [log_of(records)]) if side == "left" else ([log_of(records)], [log])
    report = clusters.compare(*logs)
    assert report.verdict is not Verdict.EQUAL
    assert reasons(report) - {"corrupt_batch"} or report.verdict is Verdict.DIFFERENT
