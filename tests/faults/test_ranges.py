"""Parts of logs: by offset, by time, and the last ones. What is not there is told, and nothing is never equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kcompare.errors import RefusedError
from kcompare.model import FindingKind, OffsetRange, Reason, Verdict
from kcompare.settings.allowances import parse_allowance
from kcompare.settings.quantities import format_time
from kcompare.settings.ranges import parse_range
from kcompare.sources.kafka import KafkaSource
from tests.support.clusters import LIST_OFFSETS, Clusters, differences, findings, only, reasons
from tests.support.hooks import Hooks, install
from tests.support.logs import Log, Record, closed_up, log_of, numbered

if TYPE_CHECKING:
    from kcompare.model import PartitionReport, Report

RECORDS = numbered(200)
"""Record n has the timestamp 1,000,000 + 10 n."""

CHANGED = [Record(r.offset, r.timestamp, r.key, b"other") if r.offset == 120 else r for r in RECORDS]
TOPIC_AUTHORIZATION_FAILED = 29


def compare(
    clusters: Clusters,
    both: str | None = None,
    *,
    left: str | None = None,
    right: str | None = None,
    logs: tuple[Log, Log] | None = None,
    **options: Any,
) -> Report:
    """Compares two logs of which records 120 differ, within these ranges."""
    ranges = {
        name: parse_range(text)
        for name, text in (("left_range", left or both), ("right_range", right or both))
        if text is not None
    }
    one, other = logs or (log_of(RECORDS), log_of(CHANGED, batch=17))
    return clusters.compare([one], [other], **ranges, **options)


def planned(found: PartitionReport) -> tuple[OffsetRange, OffsetRange]:
    assert found.left is not None
    assert found.right is not None
    return found.left.planned, found.right.planned


def time(offset: float) -> str:
    """The time of the record at an offset, or between two of them."""
    return format_time(round(1_000_000 + 10 * offset))


@pytest.mark.parametrize(
    ("text", "start", "stop"),
    [
        ("0:120", 0, 120),
        ("121:", 121, 200),
        (":100", 0, 100),
        ("33:77", 33, 77),
        ("-79", 121, 200),
        (f":{time(120)}", 0, 120),
        (f"{time(121)}:", 121, 200),
        (f"{time(120.5)}:", 121, 200),
        (f"{time(30)}:{time(31)}", 30, 31),
        (f"{time(130)}:150", 130, 150),
        (f"140:{time(150)}", 140, 150),
    ],
)
def test_only_what_lies_in_the_range_is_compared(clusters: Clusters, text: str, start: int, stop: int) -> None:
    report = compare(clusters, text)
    found = only(report)
    assert report.verdict is Verdict.EQUAL
    assert planned(found) == (OffsetRange(start, stop), OffsetRange(start, stop))
    assert found.compared_records == stop - start
    assert found.warnings == ()
    assert report.options is not None
    assert (report.options.left_range, report.options.right_range) == (text, text)


@pytest.mark.parametrize("text", ["120:121", "0:121", "120:", "-80", f"{time(120)}:", f":{time(120.5)}", None])
def test_a_difference_in_the_range_is_found_where_it_is(clusters: Clusters, text: str | None) -> None:
    report = compare(clusters, text)
    assert report.verdict is Verdict.DIFFERENT
    first = only(report).first_divergence
    assert first is not None
    assert (first.left_offset, first.right_offset) == (120, 120)


def test_sides_have_ranges_of_their_own(clusters: Clusters) -> None:
    logs = log_of(RECORDS), log_of(closed_up(RECORDS[50:]))
    report = compare(clusters, left="50:150", right="0:100", logs=logs)
    assert report.verdict is Verdict.EQUAL
    assert only(report).offsets.shift == -50
    assert compare(clusters, left="50:150", right="0:99", logs=logs).verdict is Verdict.DIFFERENT
    assert compare(clusters, left="50:150", logs=logs).verdict is Verdict.DIFFERENT


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("20:100", "the log starts at offset 50, so [20, 50) is not there"),
        ("60:300", "the log ends at offset 200, so [200, 300) is not there"),
        ("-500", "the log holds only 150 offsets of the last 500"),
        (f"{time(0)}:100", "the first record since"),
        (f"60:{time(500)}", "no record is as young as"),
    ],
)
def test_what_the_log_does_not_hold_is_told(clusters: Clusters, text: str, told: str) -> None:
    logs = log_of(RECORDS).cut_head(50), log_of(RECORDS, batch=17).cut_head(50)
    report = compare(clusters, text, logs=logs)
    assert report.verdict is Verdict.EQUAL
    warnings = only(report).warnings
    assert len(warnings) == 2
    assert all(told in warning for warning in warnings)
    assert [warning.split(":")[0] for warning in warnings] == ["--left-range", "--right-range"]


@pytest.mark.parametrize("text", ["500:", "500:600", f"{time(500)}:", f"{time(30.2)}:{time(30.4)}"])
def test_nothing_on_either_side_is_no_proof(clusters: Clusters, text: str) -> None:
    report = compare(clusters, text)
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert reasons(report) == {"nothing_compared"}
    assert compare(clusters, text, allow_empty=True).verdict is Verdict.EQUAL


def test_nothing_in_one_partition_is_no_proof_of_it(clusters: Clusters) -> None:
    both = [log_of(RECORDS), log_of(RECORDS[:50])]
    report = clusters.compare(both, both, left_range=parse_range("100:"), right_range=parse_range("100:"))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert [found.reason for found in findings(report)] == [Reason.NOTHING_COMPARED]


def test_nothing_on_one_side_is_a_difference(clusters: Clusters) -> None:
    report = compare(clusters, left="100:", right="500:")
    assert report.verdict is Verdict.DIFFERENT
    assert differences(report) == [FindingKind.ONLY_LEFT]
    report = compare(clusters, left="100:", right="500:", allow_tail=parse_allowance("left"))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert reasons(report) == {"nothing_compared"}


def test_the_last_offsets_are_counted_from_the_pinned_end(clusters: Clusters, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log goes on while it is read, and the range stays where it was."""
    more = Log(200).write(numbered(30, 200))
    done: list[bool] = []

    def grow(*_: object) -> None:
        if not done:
            done.append(True)
            for side in (clusters.left, clusters.right):
                side.store.append(topic="t", partition=0, batches=more.frames[0])

    install(monkeypatch, Hooks(before_read=grow))
    for side in (clusters.left, clusters.right):
        side.create([log_of(RECORDS)])
    last = parse_range("-50")
    report = clusters.run(left_range=last, right_range=last)
    assert report.verdict is Verdict.EQUAL
    assert planned(only(report)) == (OffsetRange(150, 200), OffsetRange(150, 200))


def test_a_log_that_goes_on_between_bounds_and_times_is_cut_at_its_bounds(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offsets by time are asked after the bounds, so they may lie past them."""
    asked = KafkaSource.offsets_at
    monkeypatch.setattr(
        KafkaSource,
        "offsets_at",
        lambda self, at: {number: (offset or 0) + 1000 for number, offset in asked(self, at).items()},
    )
    report = compare(clusters, f"150:{time(160)}")
    assert planned(only(report)) == (OffsetRange(150, 200), OffsetRange(150, 200))
    assert compare(clusters, f"{time(160)}:").verdict is Verdict.INCONCLUSIVE


def test_a_tail_past_the_other_range_is_allowed_by_its_bound(clusters: Clusters) -> None:
    logs = log_of(RECORDS), log_of(RECORDS, batch=17)
    report = compare(clusters, left="100:150", right="100:180", logs=logs)
    assert differences(report) == [FindingKind.ONLY_RIGHT]
    report = compare(clusters, left="100:150", right="100:180", logs=logs, allow_tail=parse_allowance("right:30"))
    assert report.verdict is Verdict.EQUAL
    report = compare(clusters, left="100:150", right="100:180", logs=logs, allow_tail=parse_allowance("right:29"))
    assert report.verdict is Verdict.DIFFERENT


def test_a_mirror_that_started_over_is_found_though_its_start_is_out_of_range(clusters: Clusters) -> None:
    """No allowance covers a repetition, and the records that are repeated lie before the range."""
    over = [*RECORDS, *closed_up(RECORDS[:40], 200)]
    logs = log_of(RECORDS), log_of(over, batch=17)
    report = compare(clusters, left="100:", right="100:", logs=logs, allow_tail=parse_allowance("right"))
    assert report.verdict is Verdict.DIFFERENT
    assert differences(report) == [FindingKind.DUPLICATED]


def test_a_time_that_may_not_be_asked_for_is_exit_4(clusters: Clusters, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> dict[int, int | None]:
        raise RefusedError("no")

    monkeypatch.setattr(KafkaSource, "offsets_at", refuse)
    report = compare(clusters, f"{time(10)}:")
    assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 4)


def test_a_partition_that_does_not_answer_is_not_left_out(clusters: Clusters, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = KafkaSource.offsets_at
    monkeypatch.setattr(
        KafkaSource, "offsets_at", lambda self, at: {n: o for n, o in asked(self, at).items() if n != 1}
    )
    both = [log_of(RECORDS), log_of(RECORDS)]
    wanted = parse_range(f"{time(10)}:")
    report = clusters.compare(both, both, left_range=wanted, right_range=wanted)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert [found.verdict.value for found in report.topics[0].partitions] == ["EQUAL", "INCONCLUSIVE"]
    assert reasons(report) == {"partition_unavailable"}


def test_list_offsets_is_what_times_are_asked_by(clusters: Clusters) -> None:
    before = clusters.left.broker.requests().get(LIST_OFFSETS, 0)
    compare(clusters, "10:20")
    plain = clusters.left.broker.requests()[LIST_OFFSETS] - before
    compare(clusters, f"{time(10)}:{time(20)}")
    assert clusters.left.broker.requests()[LIST_OFFSETS] - before == 2 * plain + 2
