"""Log directories through the native module: what it says of them, and what becomes of those that are harmed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from kcompare import _native
from kcompare.errors import InterruptedRunError, SourceError, UsageError
from kcompare.model import Verdict
from tests.support.clusters import only, reasons, run
from tests.support.files import checkpoint, log_directory, segment, store, topic_view
from tests.support.logs import Log, log_of, numbered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.clusters import Clusters

ID = bytes(range(16))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return log_directory(tmp_path / "data")


def opened(*paths: Path, **options: Any) -> _native.LogDirs:
    return _native.LogDirs(paths=list(map(str, paths)), cancel=_native.CancelToken(), **options)


def reading(start: int, stop: int, **more: Any) -> dict[str, Any]:
    return {
        "topic": "t",
        "partition": 0,
        "start": start,
        "stop": stop,
        "isolation_level": "read_committed",
        "budget": _native.MemoryBudget(total_bytes=64 << 20, workers=1),
        "cancel": _native.CancelToken(),
        **more,
    }


def test_what_a_log_directory_says_of_itself(path: Path) -> None:
    store(path, log_of(numbered(50)), rolls=[2], id_=ID)
    store(path, log_of(numbered(5)), partition=1)
    (path / "u-3.0123-stray").mkdir()
    (path / "t-0" / "00000000000000000050.log.deleted").write_bytes(b"x")
    (path / "t-0" / "leader-epoch-checkpoint").write_text("0\n2\n0 0\n3 20\n")
    checkpoint(path, "replication", {("t", 0): 42})
    checkpoint(path, "recovery-point", {("t", 0): 20})
    checkpoint(path, "cleaner", {("t", 0): 30})
    found = opened(path)
    (root,) = found.roots()
    assert (root.path, root.cluster_id, root.node_id, root.directory_id) == (str(path), "cluster", 1, None)
    assert (root.clean_shutdown, root.tiered, root.problems, root.foreign) == (False, False, [], [])
    assert (root.device, root.inode) == (path.stat().st_dev, path.stat().st_ino)
    assert found.topics() == ["t"]
    assert found.set_aside() == [(str(path / "u-3.0123-stray"), "u", 3, "stray")]
    first, second = found.partitions(topic="t")
    assert (first.partition, first.topic_id, second.partition, second.topic_id) == (0, ID, 1, bytes(16))
    assert (first.recovery_point, first.log_start_checkpoint, first.high_watermark_checkpoint) == (20, None, 42)
    assert (first.cleaner_checkpoint, second.cleaner_checkpoint, first.root, first.problems) == (30, None, 0, [])
    assert found.partitions(topic="u") == []
    bounds, _ = found.bounds(topic="t")
    assert (bounds.log_start_offset, bounds.log_end_offset, bounds.readable_end_offset) == (0, 50, 50)
    assert (bounds.first_segment, bounds.segments, bounds.error, bounds.end_reason) == (0, 2, "", "end_of_segment")
    assert bounds.bytes == sum(segment(path, "t", 0, base).stat().st_size for base in (0, 20))
    assert (bounds.leader_epoch, bounds.leader_epochs) == (0, [(0, 0)])
    assert bounds.checkpoint_epochs == [(0, 0), (3, 20)]
    deleted = path / "t-0" / "00000000000000000050.log.deleted"
    assert bounds.ignored == [(str(deleted), 50, 1, "deleted")]
    assert bounds.cleaner_checkpoint == 30
    assert (bounds.topic_id, bounds.path, bounds.recovery_point) == (ID, str(path / "t-0"), 20)
    assert found.epoch_ends(topic="t", epochs=[(0, 0), (1, 7), (9, 0)]) == [(0, 0, 50), (1, -1, -1)]
    assert found.offsets_at(topic="t", timestamp_ms=1_000_205) == [(0, 21, ""), (1, -1, "")]
    with pytest.raises(ValueError, match="-1 is no time"):
        found.offsets_at(topic="t", timestamp_ms=-1)


def test_records_and_their_order(path: Path) -> None:
    records = numbered(30)
    store(path, log_of(records), rolls=[1])
    found = opened(path)
    progress = _native.Progress()
    cells = found.read_cells(**reading(5, 30), checkpoints=[], progress=progress)
    assert (cells.records, cells.end, cells.position, progress.records) == (25, "reached", 30, 25)
    assert (cells.log_start_offset, cells.high_watermark, cells.last_stable_offset) == (0, 30, 30)
    last, read = found.read_records(**reading(0, 30), limit=2, value_limit_bytes=100)
    assert [(one[0], one[5]) for one in last] == [(28, records[28].value), (29, records[29].value)]
    assert read.records == 30
    check = {key: value for key, value in reading(0, 30).items() if key != "isolation_level"}
    checked, order = found.read_check(**check, progress=_native.Progress())
    assert (checked.records, order.total, order.first) == (30, 0, (0, 1_000_000, False))
    assert found.read_rows(**reading(0, 40), limit=10).end == "reached"
    beyond = found.read_cells(**reading(0, 40), checkpoints=[], progress=progress)
    assert (beyond.end, beyond.position) == ("truncated", 30)
    assert "the log ends at offset 30" in beyond.end_detail
    unknown = found.read_rows(**reading(0, 1, partition=4), limit=1)
    assert (unknown.end, unknown.position) == ("partition_unavailable", 0)
    with pytest.raises(ValueError, match="no range of offsets"):
        found.read_rows(**reading(5, 3), limit=1)


def test_mistakes_are_told_from_failures(path: Path, tmp_path: Path) -> None:
    for wrong, sentence in (("none", "does not exist"), ("", "in it is one; name that")):
        with pytest.raises(UsageError, match=sentence):
            opened(tmp_path / wrong)
    store(path, log_of(numbered(3)))
    other = log_directory(tmp_path / "other", node_id=2)
    with pytest.raises(UsageError, match=r"carries node.id 1 .* carries node.id 2"):
        opened(path, other)
    same = log_directory(tmp_path / "same")
    store(same, log_of(numbered(3)))
    with pytest.raises(UsageError, match="partition 0 of topic"):
        opened(path, same)
    (path / "t-0" / "00000000000000000000.log").unlink()
    (path / "t-0" / "00000000000000000000.log").mkdir()
    (bounds,) = opened(path).bounds(topic="t")
    assert "no file" in bounds.error
    assert (bounds.log_end_offset, bounds.partition) == (-1, 0)
    (path / "loop-0").symlink_to(path / "loop-0")
    with pytest.raises(SourceError, match="loop-0"):
        opened(path)


def test_a_set_token_ends_everything(path: Path) -> None:
    store(path, log_of(numbered(30)))
    cancel = _native.CancelToken()
    found = _native.LogDirs(paths=[str(path)], cancel=cancel)
    cancel.cancel()
    with pytest.raises(InterruptedRunError):
        found.bounds(topic="t")
    read = opened(path).read_rows(**reading(0, 30, cancel=cancel), limit=100)
    assert (read.end, read.records, read.position) == ("interrupted", 0, 0)


def test_reading_keeps_to_the_rate(path: Path) -> None:
    store(path, log_of(numbered(2000)))
    size = segment(path, "t", 0, 0).stat().st_size
    limit = _native.RateLimit(bytes_per_second=size)
    limit.take(bytes=size // 4, cancel=_native.CancelToken())
    cancel = _native.CancelToken()
    found = opened(path, rate_limit=limit)
    started = time.monotonic()
    cells = found.read_cells(**reading(0, 2000, cancel=cancel), checkpoints=[], progress=_native.Progress())
    assert cells.records == 2000
    # The pass over the headers and the records, at one size a second, are twice the size.
    assert 1.2 < time.monotonic() - started < 30


def harmed(path: Path, log: Log) -> None:
    store(path, log, rolls=[10, 20])


@pytest.mark.parametrize("harm", ["flip", "truncate", "remove", "vanish"])
def test_a_harmed_directory_is_never_equal_and_never_different(clusters: Clusters, path: Path, harm: str) -> None:
    log = log_of(numbered(300))
    harmed(path, log)
    middle = segment(path, "t", 0, 100)
    content = middle.read_bytes()
    match harm:
        case "flip":
            middle.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
        case "truncate":
            middle.write_bytes(content[:-70])
        case "remove":
            middle.unlink()
        case _:
            middle.write_bytes(bytes(len(content)))
    expected = {"flip": "damage_before_end", "truncate": "damage_before_end", "remove": "missing_segment"}
    report = run(topic_view([path]), clusters.right.create([log]))
    assert report.verdict is Verdict.INCONCLUSIVE
    # Records of the other side that have no counterpart to be held against are not aligned.
    assert reasons(report) - {"not_aligned"} == {expected.get(harm, "damage_before_end")}
    found = only(report)
    assert found.left is not None
    assert 0 < found.left.uncovered_offsets <= 100
