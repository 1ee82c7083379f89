"""Twenty copies of a running broker's data, and a broker that is started on them: it finds the ends that we found."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kcompare import _native
from tests.integration.grafts import CLEAN_SHUTDOWN, Place, contents, epoch_starts, graft
from tests.integration.kafka import Broker, Cluster, Record, Writer
from tests.integration.kafka.snapshot import hot_copy, restore
from tests.integration.support import Answer, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

COPIES = 20
# The first ones are copied by name, so that checkpoints are older than some partitions and younger than others; in the
# rest they come first, as if one careful operator, or a volume snapshot, had made the copy.
BY_NAME = 10
HOT, EXPIRING = "hot", "expiring"
PARTITIONS = {HOT: 4, EXPIRING: 2}
SMALL = {"segment_bytes": 1 << 20, "segment_index_bytes": 1 << 16}
# Retention keeps at the heels of a writer that does not rest, so that copies are made while segments come and go.
KEPT_BYTES = 2 << 20
AT_ONCE = {HOT: 450, EXPIRING: 1 << 40}
VALUE_BYTES = {HOT: 4000, EXPIRING: 400}
DELETED_BEFORE = 77
FIRST_MS = 1_700_000_000_000
# A broker begins with retention and checkpoints 30 s after its start; these copies are made before that.
IMPATIENT = {
    "log.initial.task.delay.ms": "200",
    "log.retention.check.interval.ms": "300",
    "log.segment.delete.delay.ms": "1000",
    "log.flush.offset.checkpoint.interval.ms": "1000",
    "log.flush.start.offset.checkpoint.interval.ms": "500",
    "replica.high.watermark.checkpoint.interval.ms": "500",
}


class Look(NamedTuple):
    """What we say of a copied partition: where its log starts and ends, and what a start would make of it."""

    place: Place
    bounds: _native.LogDirBounds
    start: _native.BrokerStart


class Found(NamedTuple):
    """What a broker says that was started on it, and the leader epochs that it writes down."""

    look: Look
    log: tuple[int, int]
    epochs: list[tuple[int, int]]


@dataclass(frozen=True)
class Experiment:
    """All copies, and the comparisons of the last one with the broker that went on, and with its own restore."""

    found: list[Found]
    restored: list[Found]
    untouched: bool
    beside: list[Answer]
    afterwards: Answer


def record_of(topic: str) -> Callable[[int, int], Record]:
    """Makes the record at an offset of a partition."""

    def make(partition: int, ordinal: int) -> Record:
        value = (b"%d/%d " % (partition, ordinal)).ljust(VALUE_BYTES[topic], b"x")
        return Record(b"key-%d" % ordinal, value, (), FIRST_MS + ordinal)

    return make


def log_dirs(root: Path) -> _native.LogDirs:
    return _native.LogDirs(paths=[str(root)], cancel=_native.CancelToken())


def looked_at(root: Path) -> list[Look]:
    """What we say of a copy."""
    directories, looks = log_dirs(root), []
    for topic in PARTITIONS:
        for bounds in directories.bounds(topic=topic):
            start = directories.start_of(topic=topic, partition=bounds.partition, cancel=_native.CancelToken())
            looks.append(Look(Place(root, topic, bounds.partition), bounds, start))
    return looks


def copied_under_load(source: Cluster, writers: list[Writer], folder: Path) -> list[Path]:
    """Makes the copies while the writers keep the broker busy; they go on when this returns."""
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.wait_acknowledged([AT_ONCE[HOT]] * PARTITIONS[writer.topic])
    source.delete_records(HOT, 1, DELETED_BEFORE)
    copies = [folder / f"copy{number:02d}" for number in range(COPIES)]
    for number, copy in enumerate(copies):
        hot_copy(source.log_dir, copy, before=lambda _: None, key=None if number < BY_NAME else Path.is_dir)
        for writer in writers:
            writer.wait_more(3)
    return copies


def writers_of(source: Cluster) -> list[Writer]:
    """Makes the topics, and a writer for each."""
    source.create_topic(HOT, PARTITIONS[HOT], **SMALL)
    source.create_topic(EXPIRING, PARTITIONS[EXPIRING], retention_bytes=KEPT_BYTES, **SMALL)
    settings = {"batch.num.messages": 50, "linger.ms": 5}
    return [
        Writer(source, topic, count, record_of(topic), at_once=AT_ONCE[topic], settings=settings)
        for topic, count in PARTITIONS.items()
    ]


def started_on(host: Cluster, looks: Sequence[Look]) -> list[Found]:
    """Starts the host on the partitions of all copies at once: each copy has partitions of its own in a topic."""
    host.stop()
    pairs = [
        (look, Place(host.log_dir, topic, number))
        for topic in PARTITIONS
        for number, look in enumerate(look for look in looks if look.place.topic == topic)
    ]
    graft((look.place, target) for look, target in pairs)
    (host.log_dir / CLEAN_SHUTDOWN).unlink()
    host.start()
    return [found_by(host, look, target) for look, target in pairs]


def found_by(cluster: Cluster, look: Look, place: Place) -> Found:
    return Found(look, cluster.offsets(place.topic, place.partition), epoch_starts(place.directory))


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    """Copies a busy broker, compares a copy with it, and starts a broker on all copies."""
    folder, logs = tmp_path_factory.mktemp("hot"), tmp_path_factory.mktemp("hot-logs")
    source = Cluster(Broker(folder / "source", "source", properties=IMPATIENT, logs=logs))
    host = Cluster(Broker(folder / "host", "host", logs=logs))
    writers: list[Writer] = []
    try:
        source.broker.launch()
        host.broker.launch()
        source.wait_ready()
        writers += writers_of(source)
        copies = copied_under_load(source, writers, folder)
        last = copies[-1]
        before = {copy: contents(copy) for copy in copies[-3:]}
        looks = [look for copy in copies for look in looked_at(copy)]
        snapshot = f"logdir:{last}/{HOT}"
        beside = compare(snapshot, source.view(HOT), "--allow-tail", "right")
        turned = compare(source.view(HOT), snapshot, "--allow-tail", "left")
        untouched = before == {copy: contents(copy) for copy in copies[-3:]}
        for writer in writers:
            writer.stop()
        source.stop()
        host.wait_ready()
        for topic, count in PARTITIONS.items():
            host.create_topic(topic, count * COPIES, **SMALL)
        found = started_on(host, looks)
        host.kill()
        restore(source.broker, last)
        source.start()
        restored = [found_by(source, look, look.place._replace(root=source.log_dir)) for look in looked_at(last)]
        afterwards = compare(snapshot, source.view(HOT))
        yield Experiment(found, restored, untouched, [beside, turned], afterwards)
    finally:
        for writer in writers:
            writer.abandon()
        for cluster in (source, host):
            cluster.kill()
        shutil.rmtree(folder)


def test_every_copy_ends_where_the_broker_finds_its_end(experiment: Experiment) -> None:
    assert len(experiment.found) == COPIES * sum(PARTITIONS.values())
    for found in experiment.found:
        place, ours = found.look.place, found.look.bounds
        start, end = found.log
        assert (ours.error, ours.log_start_offset, ours.readable_end_offset) == ("", start, end), place
        is_ahead = ours.recovery_point is not None and ours.recovery_point > end
        if is_ahead and place.root.name < f"copy{BY_NAME:02d}":
            # On purpose: a broker does not mind that its log was once flushed further than it reaches now.
            assert (ours.end_reason, ours.log_end_offset) == ("recovery_point", ours.recovery_point), place
            assert [lost[:2] for lost in ours.lost] == [(end, ours.recovery_point)], place
        else:
            assert (ours.log_end_offset, ours.lost) == (end, []), place


def test_a_start_is_foreseen(experiment: Experiment) -> None:
    for found in experiment.found:
        start = found.look.start
        assert start.refused is None
        assert (start.log_start_offset, start.log_end_offset) == found.log, found.look.place
        # A copy may end inside a batch; that is all that a start cuts off.
        assert sum(loss.batches for loss in start.discarded) == 0, found.look.place
        is_torn = found.look.bounds.end_reason in {"torn_tail", "recovery_point"}
        assert len(start.discarded) == 0 or is_torn, found.look.place
        assert (start.hidden, start.reused) == ([], None), found.look.place


def test_the_start_adds_a_leader_epoch_exactly_at_the_end(experiment: Experiment) -> None:
    for found in [*experiment.found, *experiment.restored]:
        before = found.look.bounds.checkpoint_epochs
        assert [start for _, start in found.epochs[len(before) :]] == [found.log[1]], found.look.place


def test_a_whole_copy_is_restored_to_the_same_ends(experiment: Experiment) -> None:
    for found in experiment.restored:
        ours = found.look.bounds
        assert ours.log_end_offset == found.log[1], found.look.place
        if found.look.place.topic == HOT:
            # Retention, which begins right after the start, moves the other topic's.
            assert ours.log_start_offset == found.log[0], found.look.place


def test_a_copy_is_equal_to_the_broker_that_went_on(experiment: Experiment) -> None:
    for answer, snapshot, broker in zip(experiment.beside, ("left", "right"), ("right", "left"), strict=True):
        assert answer.verdict == "EQUAL", answer.why
        more = [one[broker]["planned"][1] - one[snapshot]["planned"][1] for one in answer.partitions]
        assert min(more) > 0
        assert [one[broker]["allowed_offsets"] for one in answer.partitions] == more


def test_a_copy_is_equal_to_what_is_restored_from_it(experiment: Experiment) -> None:
    assert experiment.afterwards.verdict == "EQUAL", experiment.afterwards.why


def test_the_copies_were_taken_at_different_moments(experiment: Experiment) -> None:
    looks = [found.look for found in experiment.found]
    for topic, count in PARTITIONS.items():
        for partition in range(count):
            ends = [look.bounds.log_end_offset for look in looks if look.place[1:] == (topic, partition)]
            assert len(set(ends)) == COPIES
    # Some are past several recovery points, some hold the start that a request moved, some what retention left.
    assert max(look.bounds.segments for look in looks) > 2
    assert any(look.bounds.recovery_point for look in looks)
    assert any(look.bounds.log_start_offset == DELETED_BEFORE for look in looks if look.place.topic == HOT)
    assert any(look.bounds.log_start_offset > 0 for look in looks if look.place.topic == EXPIRING)


def test_nothing_is_written_by_us(experiment: Experiment) -> None:
    assert experiment.untouched
