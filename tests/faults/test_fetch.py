"""What a broker or the network does to a fetch: what passes leaves the verdict alone, what stays is never an EQUAL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kcompare.model import Verdict
from tests.support.clusters import DESCRIBE_CONFIGS, LIST_OFFSETS, METADATA, STALL_S, only, reasons
from tests.support.hooks import Hooks, install
from tests.support.logs import log_of, numbered

if TYPE_CHECKING:
    from kcompare.model import View
    from tests.support.clusters import Clusters, FakeCluster

RECORDS = numbered(200)
GARBAGE = bytes(range(256)) * 2


@pytest.fixture
def faulty(clusters: Clusters, side: str) -> FakeCluster:
    """The side that misbehaves; both hold the same records in other batches."""
    clusters.left.create([log_of(RECORDS)])
    clusters.right.create([log_of(RECORDS, batch=17, codecs=("zstd", "lz4"))])
    cluster: FakeCluster = getattr(clusters, side)
    return cluster


BOUNDS_FETCHES = 1
"""Fetches that a run sends before it reads: the one at the end of the log, for its bounds."""


def skipped(action: str) -> int:
    """How many fetches pass before a fault strikes; those without records never count as damaged."""
    return 0 if action in {"flip_byte", "truncate_records"} else BOUNDS_FETCHES


def well_when_checked(monkeypatch: pytest.MonkeyPatch, faulty: FakeCluster) -> None:
    """The broker behaves again when all is read, so that only the reading is put to the test."""
    install(monkeypatch, Hooks(before_check=lambda _: faulty.broker.clear_faults()))


@pytest.mark.parametrize(
    ("action", "options"),
    [
        ("close", {"times": 2}),
        ("close_mid_response", {"number": 700, "times": 2}),
        ("close_mid_response", {"number": 3, "times": 1}),
        ("empty", {"times": 3}),
        ("throttle", {"number": 120, "times": 3}),
        ("delay", {"number": 80, "times": 3}),
        ("slow_bytes", {"number": 200}),
        ("truncate_records", {"number": 700, "times": 2}),
        ("flip_byte", {"number": 9, "times": 1}),
        *[("error_code", {"number": code, "times": 2}) for code in (3, 5, 6, 9, 13, 56, 74, 75, 78)],
    ],
)
def test_what_passes_does_not_change_the_verdict(
    clusters: Clusters, faulty: FakeCluster, action: str, options: dict[str, Any]
) -> None:
    fault = faulty.fault(action, skip=skipped(action), **options)
    report = clusters.run(stall_timeout_s=6.0)
    assert faulty.broker.fault_count(fault=fault) > 0
    assert report.verdict is Verdict.EQUAL, report
    assert only(report).compared_records == len(RECORDS)


@pytest.mark.parametrize(("times", "verdict"), [(1, Verdict.EQUAL), (None, Verdict.INCONCLUSIVE)])
def test_records_that_the_broker_calls_corrupt_are_asked_for_once_more(
    clusters: Clusters, faulty: FakeCluster, times: int | None, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    well_when_checked(monkeypatch, faulty)
    faulty.fault("error_code", number=2, skip=BOUNDS_FETCHES, times=times)
    report = clusters.run()
    assert report.verdict is verdict, report
    # What is stored is bad, and nobody was away: exit 3, not 5.
    assert report.exit_code == (0 if verdict is Verdict.EQUAL else 3)
    if verdict is Verdict.INCONCLUSIVE:
        assert "corrupt_batch" in reasons(report)
        assert report.run.seconds < STALL_S


@pytest.mark.parametrize("api", [LIST_OFFSETS, METADATA])
@pytest.mark.parametrize(
    ("action", "options"),
    [
        ("close", {"times": 1}),
        ("close_mid_response", {"number": 9, "times": 1}),
        ("throttle", {"number": 50, "times": 2}),
        ("delay", {"number": 50, "times": 2}),
        ("slow_bytes", {"number": 20}),
    ],
)
def test_what_passes_in_other_requests_does_not_change_the_verdict(
    clusters: Clusters, faulty: FakeCluster, api: int, action: str, options: dict[str, Any]
) -> None:
    fault = faulty.fault(action, api=api, **options)
    report = clusters.run(stall_timeout_s=6.0)
    assert faulty.broker.fault_count(fault=fault) > 0
    assert report.verdict is Verdict.EQUAL, report


@pytest.mark.parametrize(
    ("action", "options", "reason"),
    [
        ("flip_byte", {"number": 150}, "corrupt_batch"),
        ("flip_byte", {"number": 150, "times": 1}, "corrupt_batch"),
        ("flip_byte", {"number": 17}, "corrupt_batch"),
        ("flip_byte", {"number": 5, "times": 1}, None),
        ("flip_byte", {"number": 9}, None),
        ("truncate_records", {"number": 40}, None),
        ("replace_records", {"data": GARBAGE}, None),
        ("replace_records", {"data": bytes(200)}, None),
        ("empty", {}, "stalled"),
        ("close", {}, None),
        ("close_mid_response", {"number": 100}, None),
        ("stall", {}, None),
        ("wrong_correlation_id", {}, None),
        ("garbage", {"data": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, None),
        ("garbage", {"data": b"\x7f\xff\xff\xff"}, None),
        ("garbage", {"data": b"\xff\xff\xff\xff"}, None),
        *[("error_code", {"number": code}, None) for code in (-1, 2, 3, 5, 6, 56, 75, 4711)],
    ],
)
def test_what_stays_is_never_equal(
    clusters: Clusters,
    faulty: FakeCluster,
    action: str,
    options: dict[str, Any],
    reason: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    well_when_checked(monkeypatch, faulty)
    fault = faulty.fault(action, skip=skipped(action), **options)
    report = clusters.run()
    assert faulty.broker.fault_count(fault=fault) > 0
    assert report.verdict is Verdict.INCONCLUSIVE, report
    assert report.exit_code in {3, 5}
    assert report.run.seconds < STALL_S + 5
    if reason is not None:
        assert reason in reasons(report)


@pytest.mark.parametrize(
    ("action", "options"),
    [("wrong_correlation_id", {}), ("garbage", {"data": b"\x00\x00\x00\x08" + bytes(8)})],
)
def test_a_peer_that_breaks_the_protocol_once_is_never_wrong(
    clusters: Clusters, faulty: FakeCluster, action: str, options: dict[str, Any]
) -> None:
    faulty.fault(action, skip=BOUNDS_FETCHES, times=1, **options)
    report = clusters.run()
    assert report.verdict in {Verdict.EQUAL, Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(("action", "options"), [("error_code", {"number": 6}), ("close", {}), ("stall", {})])
def test_a_check_at_the_end_that_fails_ends_with_the_stall_timeout(
    clusters: Clusters,
    faulty: FakeCluster,
    action: str,
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everything was read, and nothing shows that it is still what was pinned."""
    port = faulty.broker.port

    def fail(view: View) -> None:
        if view.bootstrap[0][1] == port:
            faulty.fault(action, **options)

    install(monkeypatch, Hooks(before_check=fail))
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.exit_code == 5
    assert report.run.seconds < STALL_S + 5


@pytest.mark.timeout(20)
def test_an_empty_answer_that_throttles_is_no_progress(
    clusters: Clusters, faulty: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that says "later" for ever stalls the run as much as one that says nothing."""
    well_when_checked(monkeypatch, faulty)
    faulty.fault("empty", skip=BOUNDS_FETCHES)
    faulty.fault("throttle", number=20, skip=BOUNDS_FETCHES)
    report = clusters.run()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.exit_code == 5


@pytest.mark.parametrize("api", [METADATA, LIST_OFFSETS, DESCRIBE_CONFIGS])
@pytest.mark.parametrize(
    ("action", "options"),
    [
        ("close", {}),
        ("stall", {}),
        ("garbage", {"data": GARBAGE}),
        ("error_code", {"number": 42}),
        ("error_code", {"number": 5}),
    ],
)
def test_no_request_may_fail_for_ever(clusters: Clusters, api: int, action: str, options: dict[str, Any]) -> None:
    clusters.left.create([log_of(RECORDS)])
    clusters.right.create([log_of(RECORDS)])
    clusters.right.fault(action, api=api, **options)
    report = clusters.run(hang_s=120.0)
    assert report.verdict is Verdict.INCONCLUSIVE
    if action == "close":
        # A listener that wants credentials closes connections too: on the first request, which is for metadata.
        assert report.exit_code == (4 if api == METADATA else 5)
    else:
        assert report.exit_code in {3, 5}
    assert report.run.seconds < STALL_S + 5


def test_a_corrupt_batch_is_all_that_is_lost(clusters: Clusters, faulty: FakeCluster, side: str) -> None:
    """The records around it are read, and the ledger says how many offsets it took."""
    faulty.fault("flip_byte", number=90, times=1)
    found = only(clusters.run())
    ledger = found.left if side == "left" else found.right
    other = found.right if side == "left" else found.left
    assert ledger is not None
    assert other is not None
    lost = 10 if side == "left" else 17
    assert (ledger.uncovered_offsets, ledger.records) == (lost, len(RECORDS) - lost)
    assert other.uncovered_offsets == 0


def test_a_difference_is_told_beside_a_corrupt_batch(clusters: Clusters, side: str) -> None:
    changed = list(RECORDS)
    changed[150] = type(changed[150])(150, 1, b"other", b"other")
    clusters.left.create([log_of(RECORDS)])
    clusters.right.create([log_of(changed)])
    getattr(clusters, side).fault("flip_byte", number=90, times=1)
    report = clusters.run()
    assert report.verdict in {Verdict.DIFFERENT, Verdict.INCONCLUSIVE}
    if report.verdict is Verdict.DIFFERENT:
        first = only(report).first_divergence
        assert first is not None
        assert (first.left_offset, first.right_offset) == (150, 150)
