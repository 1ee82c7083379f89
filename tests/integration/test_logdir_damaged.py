"""What a start is said to do to damaged log directories is what a broker does that is then started on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kcompare import _native
from tests.integration.damaged_logs import (
    BATCH,
    CASES,
    COMPACTED,
    PLAIN,
    RECORDS,
    REFUSED,
    TRANSACTIONAL,
    Case,
    Layout,
    batches,
    layout_of,
)
from tests.integration.grafts import (
    CLEAN_SHUTDOWN,
    LOG_START,
    RECOVERY_POINT,
    Place,
    contents,
    epoch_starts,
    graft,
    set_checkpoints,
)
from tests.integration.kafka import Broker, Cluster
from tests.integration.kafka.wire import WireConnection
from tests.integration.partition_dirs import Stored, sound_batches
from tests.integration.support import Document, check, plain_records, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# The broker spreads a topic over its log directories, and each of them needs room for the cases that want it.
PARTITIONS = 2 * max(sum(case.clean for case in CASES), sum(not case.clean for case in CASES)) + 4
SMALL = {"segment_bytes": 1 << 20, "segment_index_bytes": 1 << 16}
DAMAGED = "damaged"
MISSING_MIDDLE = "middle segment deleted before the recovery point"
FLIPPED = "byte flipped past the recovery point"


@dataclass(frozen=True)
class Outcome:
    """A case, what was said of it before the start, and what the start left of it."""

    case: Case
    layout: Layout
    start: _native.BrokerStart
    bounds: _native.LogDirBounds
    held: list[Stored]
    log: tuple[int, int]
    left: list[Stored]
    unreachable: set[Stored]
    epochs: list[tuple[int, int]]


class Refusal(NamedTuple):
    """What was said of a case that no broker survives, and the last words of the broker."""

    said: str | None
    last_words: str


@dataclass(frozen=True)
class Experiment:
    """All cases, and what was seen on the way."""

    outcomes: dict[str, Outcome]
    untouched: bool
    checked: dict[str, Document]
    evidence: dict[str, list[tuple[str, int, int, str]]]
    refusals: dict[Case, Refusal]


class Host:
    """A broker with two log directories, of which one gets no marker of a clean shutdown."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.unclean, self.clean = folder / "host" / "data", folder / "host" / "clean"
        properties = {"log.dirs": f"{self.unclean},{self.clean}", "num.recovery.threads.per.data.dir": "2"}
        self.cluster = Cluster(Broker(folder / "host", "host", properties=properties, logs=logs))

    @property
    def roots(self) -> list[Path]:
        return [self.unclean, self.clean]

    def place(self, topic: str, partition: int = 0) -> Place:
        (root,) = (root for root in self.roots if (root / f"{topic}-{partition}").exists())
        return Place(root, topic, partition)

    def write(self) -> None:
        """Writes the three logs, and makes the topic whose partitions become the cases."""
        cluster = self.cluster
        cluster.create_topic(PLAIN, **SMALL)
        cluster.create_topic(TRANSACTIONAL, **SMALL)
        cluster.create_topic(COMPACTED, cleanup_policy="compact", min_cleanable_dirty_ratio=0.01, **SMALL)
        cluster.create_topic(DAMAGED, PARTITIONS, **SMALL)
        for topic in (PLAIN, COMPACTED):
            cluster.produce_batches(topic, 0, batches())
        for number, outcome in enumerate(("commit", "abort", "commit", "commit")):
            records = [record._replace(value=bytes(1000)) for record in plain_records(900, first=900 * number)]
            settings = {"transactional.id": f"writer {number}", "batch.num.messages": BATCH}
            cluster.produce(TRANSACTIONAL, 0, records, settings, outcome=outcome)
        directory = self.place(COMPACTED).directory
        wait_until(
            lambda: sum(batch.records for batch in sound_batches(directory)) < RECORDS / 2,
            "the cleaner left the compacted topic alone",
        )

    def harm(self, cases: Iterable[Case]) -> dict[Case, tuple[Place, Layout]]:
        """Puts a damaged copy of a log into the place of a partition for each case."""
        layouts = {topic: layout_of(self.place(topic).directory) for topic in (PLAIN, COMPACTED, TRANSACTIONAL)}
        places = [self.place(DAMAGED, partition) for partition in range(PARTITIONS)]
        free = {root: [place for place in places if place.root == root] for root in self.roots}
        found = {case: (free[self.clean if case.clean else self.unclean].pop(), layouts[case.source]) for case in cases}
        graft((self.place(case.source), place) for case, (place, _) in found.items())
        for case, (place, layout) in found.items():
            case.harm(place.directory, layout)
            log_start = None if case.log_start is None else layout.end + case.log_start
            set_checkpoints(place.root, RECOVERY_POINT, {place[1:]: case.recovery_offset(layout)})
            set_checkpoints(place.root, LOG_START, {place[1:]: log_start})
        (self.unclean / CLEAN_SHUTDOWN).unlink(missing_ok=True)
        return found

    def refusal_of(self, case: Case) -> Refusal:
        """Starts the stopped broker on a case, and takes the case out again."""
        for root in self.roots:
            (root / CLEAN_SHUTDOWN).unlink(missing_ok=True)
        ((place, _),) = self.harm([case]).values()
        if case.clean:
            (place.root / CLEAN_SHUTDOWN).touch()
        said = start_of(all_of(self), place.partition).refused
        with pytest.raises(RuntimeError, match="ended while it started"):
            self.cluster.start()
        self.cluster.kill()
        last_words = self.cluster.broker.log_tail(60)
        graft([(self.place(case.source), place)])
        return Refusal(said, last_words)


def all_of(host: Host) -> _native.LogDirs:
    return _native.LogDirs(paths=[str(root) for root in host.roots], cancel=_native.CancelToken())


def start_of(directories: _native.LogDirs, partition: int) -> _native.BrokerStart:
    return directories.start_of(topic=DAMAGED, partition=partition, cancel=_native.CancelToken())


def unreachable(connection: WireConnection, partition: int, log_start: int, left: Iterable[Stored]) -> set[Stored]:
    """The batches that are on disk and that the broker does not find by their offsets."""
    wanted = [batch for batch in left if batch.next_offset > log_start]
    offsets = [max(batch.base_offset, log_start) for batch in wanted]
    found = connection.first_batches(DAMAGED, partition, offsets)
    return {batch for batch, base_offset in zip(wanted, found, strict=True) if base_offset != batch.base_offset}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    """Damages copies of three logs in every way, asks what a start would do, and starts the broker."""
    host = Host(tmp_path_factory.mktemp("damaged"), tmp_path_factory.mktemp("damaged-logs"))
    try:
        host.cluster.start()
        host.write()
        host.cluster.stop()
        found = host.harm(CASES)
        assert (host.clean / CLEAN_SHUTDOWN).exists()
        before = {root: contents(root) for root in host.roots}
        directories = all_of(host)
        bounds = {one.partition: one for one in directories.bounds(topic=DAMAGED)}
        starts = {case: start_of(directories, place.partition) for case, (place, _) in found.items()}
        assert {case.name: start.refused for case, start in starts.items() if start.refused} == {}
        held = {case: sound_batches(place.directory) for case, (place, _) in found.items()}
        checked = {}
        for name in (MISSING_MIDDLE, FLIPPED):
            place, _ = found[case_named(name)]
            checked[name] = check(f"logdir:{place.root}/{DAMAGED}", "--partitions", str(place.partition)).document
        untouched = {root: contents(root) for root in host.roots} == before
        host.cluster.start()
        outcomes = {}
        with WireConnection(host.cluster.bootstrap) as connection:
            for case, (place, layout) in found.items():
                log = host.cluster.offsets(DAMAGED, place.partition)
                left = sound_batches(place.directory)
                outcomes[case.name] = Outcome(
                    case,
                    layout,
                    starts[case],
                    bounds[place.partition],
                    held[case],
                    log,
                    left,
                    unreachable(connection, place.partition, log[0], left),
                    epoch_starts(place.directory),
                )
        host.cluster.kill()
        again = all_of(host)
        evidence = {case.name: start_of(again, place.partition).evidence for case, (place, _) in found.items()}
        refusals = {case: host.refusal_of(case) for case in REFUSED}
        yield Experiment(outcomes, untouched, checked, evidence, refusals)
    finally:
        host.cluster.kill()


def case_named(name: str) -> Case:
    (found,) = (case for case in CASES if case.name == name)
    return found


NAMES = [case.name for case in CASES]
UNCHANGED = {
    "nothing",
    "nothing, clean",
    "middle segment deleted before the recovery point",
    "middle segment deleted past the recovery point",
    "middle segment cut to a half before the recovery point",
    "byte flipped before the recovery point",
    "index missing, clean",
    "index garbage past the recovery point",
    "compacted, compaction not finished",
    "transactional, middle segment deleted",
}
"""Cases in which a start takes nothing out of the log; some of them had lost something before."""


def losses_of(batches_lost: Iterable[Stored]) -> tuple[set[int], int]:
    """The offsets of batches, and their records."""
    found = list(batches_lost)
    offsets = {offset for batch in found for offset in range(batch.base_offset, batch.next_offset)}
    return offsets, sum(batch.records for batch in found)


def within(losses: Iterable[_native.StartLoss], batch: Stored) -> bool:
    here = (loss for loss in losses if loss.file == batch.file)
    return any(loss.position <= batch.position and batch.end <= loss.end_position for loss in here)


@pytest.mark.parametrize("name", NAMES)
def test_log_start_and_log_end_are_the_broker_s(experiment: Experiment, name: str) -> None:
    outcome = experiment.outcomes[name]
    assert outcome.start.refused is None
    assert (outcome.start.log_start_offset, outcome.start.log_end_offset) == outcome.log


@pytest.mark.parametrize("name", NAMES)
def test_what_would_be_discarded_is_discarded(experiment: Experiment, name: str) -> None:
    outcome = experiment.outcomes[name]
    replaced = {file for file, _, _ in outcome.start.deleted_files}
    held = [
        batch._replace(file=batch.file.removesuffix(".swap")) for batch in outcome.held if batch.file not in replaced
    ]
    if outcome.start.stray:
        # Everything is in a directory of another name, and nothing is deleted.
        assert (outcome.start.discarded, outcome.left) == ([], [])
        assert losses_of(batch for batch in held if within(outcome.start.hidden, batch)) == losses_of(held)
        return
    gone = set(held) - set(outcome.left)
    said = {batch for batch in held if within(outcome.start.discarded, batch)}
    assert said == gone
    offsets, records = losses_of(gone)
    told = {offset for loss in outcome.start.discarded for offset in range(loss.start, loss.stop)}
    assert sum(loss.records for loss in outcome.start.discarded) == records
    assert sum(loss.batches for loss in outcome.start.discarded) == len(gone)
    # A run of batches that compaction has thinned out reaches over the offsets that it took.
    assert told >= offsets if outcome.case.source == COMPACTED else told == offsets


@pytest.mark.parametrize("name", NAMES)
def test_what_would_be_hidden_is_found_by_nobody(experiment: Experiment, name: str) -> None:
    outcome = experiment.outcomes[name]
    if outcome.start.stray:
        assert sum(loss.records for loss in outcome.start.hidden) == RECORDS
        return
    assert {batch for batch in outcome.left if within(outcome.start.hidden, batch)} == outcome.unreachable


@pytest.mark.parametrize("name", NAMES)
def test_the_start_adds_a_leader_epoch_at_the_log_end(experiment: Experiment, name: str) -> None:
    outcome = experiment.outcomes[name]
    _, last = outcome.epochs[-1]
    assert last == outcome.log[1]


@pytest.mark.parametrize("name", NAMES)
def test_our_end_is_the_broker_s_unless_something_sound_follows(experiment: Experiment, name: str) -> None:
    outcome = experiment.outcomes[name]
    if not outcome.start.discarded and not outcome.start.hidden and not outcome.bounds.lost:
        assert outcome.bounds.log_end_offset == outcome.log[1]
    assert outcome.bounds.log_end_offset >= max(
        (batch.next_offset for batch in outcome.held if not batch.file.endswith(".swap")), default=0
    )


def test_damage_before_sound_batches_is_an_end_for_the_broker_and_none_for_us(experiment: Experiment) -> None:
    outcome = experiment.outcomes[FLIPPED]
    ((damage,),) = [[loss for loss in outcome.start.discarded if loss.damaged_bytes]]
    end = outcome.log[1]
    assert outcome.layout.bases[1] < end < outcome.layout.bases[2]
    assert outcome.bounds.log_end_offset == outcome.layout.end
    assert damage.cause == "behind_damage"
    # The damaged batch is all that is lost, until a broker starts.
    checked = experiment.checked[FLIPPED]
    (found,) = [one for one in checked["findings"] if one["kind"] == "damage"]
    assert found["offsets"] == [end, end + BATCH]
    assert checked["totals"]["records"] == outcome.layout.end - BATCH
    assert sum(loss.records for loss in outcome.start.discarded) == outcome.layout.end - end - BATCH
    assert outcome.start.reused == (end, outcome.layout.end)


def test_at_least_twenty_cases_lose_something_by_the_start(experiment: Experiment) -> None:
    costly = {
        name
        for name, outcome in experiment.outcomes.items()
        if outcome.start.discarded or outcome.start.hidden or outcome.log != (0, outcome.layout.end)
    }
    assert set(NAMES) - costly == UNCHANGED
    assert len(costly) >= 20


def test_a_check_names_the_offsets_of_the_deleted_segment(experiment: Experiment) -> None:
    outcome, checked = experiment.outcomes[MISSING_MIDDLE], experiment.checked[MISSING_MIDDLE]
    first, second = outcome.layout.bases[1:3]
    missing = [one for one in checked["findings"] if one["kind"] == "missing_segment"]
    assert [(one["offsets"], one["effect"]) for one in missing] == [([first, second], "defect")]
    assert checked["verdict"] == "DAMAGED"
    # And a broker serves the rest as if nothing were missing.
    assert outcome.log == (0, outcome.layout.end)
    assert outcome.unreachable == set()


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_broker_that_would_not_come_up_does_not(experiment: Experiment, case: Case) -> None:
    refusal = experiment.refusals[case]
    assert REFUSED[case] in refusal.last_words
    assert refusal.said is not None
    assert REFUSED[case] in refusal.said


def test_the_directory_tells_of_the_start_afterwards(experiment: Experiment) -> None:
    name = "torn tail past the recovery point"
    end = experiment.outcomes[name].log[1]
    starts = {(start, stop) for kind, start, stop, _ in experiment.evidence[name] if kind == "epoch_start"}
    assert (end, end) in starts


def test_nothing_is_written_by_us(experiment: Experiment) -> None:
    assert experiment.untouched
