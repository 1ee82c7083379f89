"""Traps that other tools fell into and that no other test here is about: see docs/traps.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kcompare.model import FindingKind, Verdict
from kcompare.settings.allowances import parse_allowance
from tests.support.clusters import differences, only, partitions
from tests.support.logs import Log, closed_up, log_of, numbered

if TYPE_CHECKING:
    from tests.support.clusters import Clusters

RECORDS = numbered(200)
OTHERS = numbered(200, text="of another topic")


def test_a_sound_batch_of_another_topic_is_a_difference(clusters: Clusters, side: str) -> None:
    """A broker has appended batches to the wrong topic, with checksums that fit (KAFKA-19012)."""
    strayed = log_of([*RECORDS[:100], *OTHERS[100:110], *RECORDS[110:]])
    logs = ([strayed], [log_of(RECORDS)]) if side == "left" else ([log_of(RECORDS)], [strayed])
    report = clusters.compare(*logs)
    assert report.verdict is Verdict.DIFFERENT
    first = only(report).first_divergence
    assert first is not None
    assert (first.left_offset, first.right_offset) == (100, 100)


def test_a_sound_batch_of_another_topic_that_is_served_once_is_never_equal(clusters: Clusters, side: str) -> None:
    """What was read differs and what is there does not: nothing is told of it."""
    clusters.left.create([log_of(RECORDS, batch=200)])
    clusters.right.create([log_of(RECORDS, batch=200)])
    stray = log_of(OTHERS, batch=200).frames[0]
    cluster = getattr(clusters, side)
    fault = cluster.fault("replace_records", data=stray, skip=1, times=1)
    report = clusters.run()
    assert cluster.broker.fault_count(fault=fault) == 1
    assert report.verdict is Verdict.INCONCLUSIVE, report


@pytest.mark.parametrize("gone", [1, 9])
@pytest.mark.parametrize("followed", [False, True])
def test_the_tail_of_a_batch_that_compaction_took_is_passed(
    clusters: Clusters, side: str, gone: int, *, followed: bool
) -> None:
    """The batch keeps its lastOffsetDelta, so the offset before its end, and here before the log's, has no record."""
    left = RECORDS[: 100 - gone]
    log = Log(0).write(left, cuts=range(10, 100, 10), stop=100)
    survivors = list(left)
    if followed:
        log.write(RECORDS[100:], cuts=range(10, 100, 10))
        survivors += RECORDS[100:]
    mirror = log_of(closed_up(survivors), batch=17)
    logs = ([log], [mirror]) if side == "left" else ([mirror], [log])
    report = clusters.compare(*logs)
    assert report.verdict is Verdict.EQUAL, report
    found = only(report)
    assert found.compared_records == len(survivors)
    ledger = found.left if side == "left" else found.right
    assert ledger is not None
    assert ledger.gap_offsets.compacted == gone


def test_no_partition_is_cut_where_a_shorter_one_ends(clusters: Clusters, side: str) -> None:
    """A minimum over all partitions leaves the tails of the longer ones unread, and everything before it is equal."""
    lengths = (1, 20, 2000)
    logs = [log_of(numbered(length)) for length in lengths]
    changed = numbered(2000)
    changed[-1] = OTHERS[-1].at(1999)
    others = [*logs[:2], log_of(changed)]
    sides = (logs, others) if side == "right" else (others, logs)
    report = clusters.compare(*sides)
    assert [found.verdict for found in partitions(report)] == [Verdict.EQUAL, Verdict.EQUAL, Verdict.DIFFERENT]
    assert [found.compared_records for found in partitions(report)][:2] == list(lengths[:2])
    first = partitions(report)[2].first_divergence
    assert first is not None
    assert (first.left_offset, first.right_offset) == (1999, 1999)


@pytest.mark.parametrize("allow", [None, "right"])
def test_producers_that_went_on_after_a_restore_forked_the_log(clusters: Clusters, allow: str | None) -> None:
    """The same offsets and other records, and the mirror ahead of both: no tail covers it."""
    restored = log_of([*RECORDS[:150], *OTHERS[150:180]])
    report = clusters.compare([restored], [log_of(RECORDS)], allow_tail=parse_allowance(allow) if allow else None)
    assert report.verdict is Verdict.DIFFERENT
    assert differences(report)[0] is FindingKind.FORKED
    first = only(report).first_divergence
    assert first is not None
    assert (first.left_offset, first.right_offset) == (150, 150)
