"""Seeded fault schedules: random logs, random faults, events in the middle, and what a verdict may say about them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, TypedDict

from kcompare.errors import KcompareError
from kcompare.model import Verdict
from tests.support.clusters import (
    API_VERSIONS,
    DESCRIBE_CONFIGS,
    FETCH,
    LEADER_EPOCHS,
    LIST_OFFSETS,
    METADATA,
    READ_ONLY_APIS,
    Clusters,
    FakeCluster,
    reasons,
    run,
    topic_id,
)
from tests.support.logs import CODECS, Log, Record, closed_up, log_of, numbered
from tests.support.oracle import same
from tests.support.random_logs import (
    MUTATIONS,
    TIMESTAMPS,
    VALUES,
    Shape,
    random_records,
    store_plain,
    store_transactional,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare.model import View

TOPIC = "t"
STALL_S, PATIENT_STALL_S = 1.0, 6.0
BUDGET_BYTES = 16 << 20
BOMB_BYTES = 64 << 20
OVERSIZED_BYTES = 9 << 20
"""More than the half of the budget that one batch may take."""

RECREATED_EVERY = 10
"""One in so many seeds has no fault at all, and a topic that is recreated when all was read."""

REFUSED = 2
"""The exit code of a run that compares nothing."""

NEAR, FAR, NOWHERE = 1, 2, 9
"""Node ids of a side: the leader, the broker beside it, and one that nobody has ever seen."""

PASSING_CODES = (3, 5, 6, 9, 13, 56, 74, 75, 78)
CODES = (-1, 1, 2, *PASSING_CODES, 7, 29, 76, 100, 103, 4711)
GONE = {"delete", "recreate", "recreate the same", "replace"}
"""Events after which the topic is another one: whatever was read, nothing is equal to it."""

RECREATED = ("delete", "recreate", "recreate the same")
"""Those after which the topic has no id or another one."""

EVENTS = (*sorted(GONE), "retention", "truncate", "open transaction", "move leader", "lose leader")

Fault = dict[str, Any]


@dataclass(frozen=True)
class Schedule:
    """What one seed stands for.

    Attributes:
        pairs: the partitions of both sides.
        faults: each with its side (0 is left) and the node that it strikes at.
        event: what happens to partition 0 of a side in the middle, if anything.
        moment: when it happens: before the first ``read`` or before the ``check`` at the end.
        heals: whether the brokers behave again when both sides are checked.
        calm: whether all faults pass within a few retries, so that the verdict is known beforehand.
    """

    seed: int
    pairs: list[tuple[Log, Log]]
    faults: list[tuple[int, int, Fault]]
    event: tuple[int, str, int] | None
    moment: str
    heals: bool
    calm: bool

    @property
    def equal(self) -> bool:
        """Whether both sides hold the same records, told record by record."""
        return all(same(left.records(), right.records()) for left, right in self.pairs)

    @property
    def only_recreated(self) -> bool:
        """Whether nothing happens but that the topic is gone, or another one, once all of it was read."""
        return not self.faults and self.event is not None and self.event[1] in RECREATED and self.moment == "check"

    @property
    def stall_s(self) -> float:
        """The stall timeout of the run. What is to pass gets the time for it on a busy machine, too."""
        return PATIENT_STALL_S if self.calm else STALL_S

    def describe(self) -> str:
        """The script in a line, for a person."""
        faults = "; ".join(f"{'LR'[side]}{node} {fault}" for side, node, fault in self.faults)
        return f"event {self.event} at {self.moment}, heals {self.heals}, calm {self.calm}: {faults}"


@dataclass(frozen=True)
class Outcome:
    """What a run said. A run that was refused has no verdict, and ``broken`` says what is wrong with a report."""

    verdict: str | None
    exit_code: int
    seconds: float
    compared: int
    reasons: list[str]
    broken: str | None = None

    def document(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def problems(schedule: Schedule, outcome: Outcome) -> list[str]:
    """Everything that is wrong with an outcome; the clock apart."""
    found = [outcome.broken] if outcome.broken else []
    total = sum(len(left.records()) for left, _ in schedule.pairs)
    if outcome.verdict == Verdict.EQUAL:
        if not schedule.equal:
            found.append("a false EQUAL")
        if outcome.compared != total:
            found.append(f"EQUAL with {outcome.compared} of {total} records compared")
        if schedule.event and schedule.event[1] in GONE:
            found.append("EQUAL about a topic that is gone")
    if outcome.verdict == Verdict.DIFFERENT and schedule.equal:
        found.append("a false DIFFERENT")
    if schedule.only_recreated and (
        outcome.verdict != Verdict.INCONCLUSIVE or "topic_recreated" not in outcome.reasons
    ):
        found.append(f"{outcome.verdict} {outcome.reasons} about a topic that was read and is another one now")
    wanted = Verdict.EQUAL if schedule.equal else Verdict.DIFFERENT
    if schedule.calm and outcome.verdict != wanted:
        found.append(f"{outcome.verdict} where every fault passes and {wanted} is the truth: {outcome.reasons}")
    return found


@cache
def bomb(codec: str) -> bytes:
    """What a bomb is made of; a codec apart, so that nothing is compressed twice."""
    return bytes(BOMB_BYTES) if codec != "none" else Random(0).randbytes(OVERSIZED_BYTES)


def _pair(rng: Random) -> tuple[Log, Log]:
    """One partition on both sides: equal, or one mutation apart, with offsets kept, shifted or mapped."""
    shape = Shape(
        rng.randrange(1 << 32), rng.randrange(1, 400), rng.choice(VALUES), rng.choice(TIMESTAMPS), rng.random() < 0.3
    )
    left = random_records(shape)
    right: list[Record] = left
    if rng.random() < 0.5:
        right = rng.choice(MUTATIONS)(left, rng.randrange(len(left)), rng).records or left
    match rng.randrange(3):
        case 0:
            return store_plain(left, rng), store_plain(right, rng)
        case 1:
            return store_plain(left, rng), store_plain(closed_up(right, rng.randrange(1, 70_000)), rng)
        case _:
            return store_transactional(left, rng, rng), store_plain(closed_up(right), rng)


def _passing(rng: Random) -> Fault:
    """A fault that a few retries get past."""
    fault: Fault = rng.choice(
        [
            {"action": "close", "times": rng.choice((1, 2))},
            {"action": "close_mid_response", "number": rng.randrange(4000), "times": rng.choice((1, 2))},
            {"action": "empty", "times": rng.choice((1, 3))},
            {"action": "throttle", "number": rng.randrange(1, 120), "times": 3},
            {"action": "delay", "number": rng.randrange(1, 120), "times": 3},
            {"action": "slow_bytes", "number": rng.choice((200, 1000))},
            {"action": "truncate_records", "number": rng.randrange(3000), "times": rng.choice((1, 2))},
            {"action": "error_code", "number": rng.choice(PASSING_CODES), "times": rng.choice((1, 2))},
            {"action": "move_leader", "number": FAR, "skip": 1, "times": 1},
        ]
    )
    # The first fetch looks for the bounds; those without records never count as cut.
    return {"api": FETCH, "skip": rng.choice((1, 2)), **fault}


def _fetch_fault(rng: Random) -> Fault:
    """Whatever the script can do to a fetch, once or for ever."""
    times = rng.choice((1, 1, 2, 3, None))
    fault: Fault = rng.choice(
        [
            {"action": "flip_byte", "number": rng.randrange(2000)},
            {"action": "flip_byte", "number": rng.randrange(120)},
            {"action": "truncate_records", "number": rng.randrange(3000)},
            {"action": "replace_records", "data": rng.randbytes(rng.randrange(300))},
            {"action": "empty"},
            {"action": "close"},
            {"action": "close_mid_response", "number": rng.randrange(4000)},
            {"action": "stall"},
            {"action": "throttle", "number": rng.choice((1, 60, 400))},
            {"action": "delay", "number": rng.randrange(1, 200)},
            {"action": "slow_bytes", "number": rng.choice((50, 400))},
            {"action": "wrong_correlation_id"},
            {"action": "garbage", "data": rng.randbytes(rng.randrange(1, 60))},
            {"action": "lie_high_watermark", "number": rng.randrange(-1, 500)},
            {"action": "lie_log_start", "number": rng.randrange(-1, 100)},
            {"action": "error_code", "number": rng.choice(CODES)},
            {"action": "move_leader", "number": rng.choice((FAR, FAR, NOWHERE)), "times": 1},
        ]
    )
    start = rng.choice((None, rng.randrange(400)))
    return {"api": FETCH, "skip": rng.choice((0, 1, 2)), "times": times, "from_offset": start, **fault}


def _other_fault(rng: Random) -> Fault:
    """Whatever the script can do to another request."""
    api = rng.choice((METADATA, LIST_OFFSETS, LIST_OFFSETS, API_VERSIONS, LEADER_EPOCHS, DESCRIBE_CONFIGS))
    faults: list[Fault] = [
        {"action": "close"},
        {"action": "delay", "number": rng.randrange(1, 200)},
        {"action": "close_mid_response", "number": rng.randrange(60)},
        {"action": "throttle", "number": rng.choice((1, 60, 400))},
        {"action": "stall"},
        {"action": "slow_bytes", "number": rng.choice((5, 50))},
        {"action": "wrong_correlation_id"},
        {"action": "garbage", "data": rng.randbytes(rng.randrange(1, 60))},
        {"action": "error_code", "number": rng.choice(CODES)},
    ]
    if api == LIST_OFFSETS:
        faults += [{"action": "lie_high_watermark", "number": rng.randrange(-1, 500)}]
        faults += [{"action": "lie_log_start", "number": rng.randrange(-1, 150)}] * 3
    return {"api": api, "skip": rng.choice((0, 0, 1)), "times": rng.choice((1, 2, 3, None)), **rng.choice(faults)}


def _recreated(seed: int) -> Schedule:
    """All is well until both sides were read; then a topic is deleted or recreated, and nothing else tells of it.

    Where other faults strike as well they hide that it was not noticed.
    """
    rng = Random(seed)
    pairs = [_pair(rng) for _ in range(rng.choice((1, 1, 2)))]
    side = rng.randrange(2)
    # The new log is no shorter than the plan, and begins where it does, or earlier.
    event = (side, RECREATED[seed // RECREATED_EVERY % len(RECREATED)], pairs[0][side].end)
    return Schedule(seed, pairs, [], event, "check", heals=False, calm=False)


def schedule_of(seed: int) -> Schedule:
    """The schedule of a seed: always the same one."""
    if seed % RECREATED_EVERY == RECREATED_EVERY - 1:
        return _recreated(seed)
    rng = Random(seed)
    calm = rng.random() < 0.25
    pairs = [_pair(rng) for _ in range(rng.choice((1, 1, 2, 3)))]
    if calm:
        faults = [(rng.randrange(2), NEAR, _passing(rng)) for _ in range(rng.randrange(4))]
        return Schedule(seed, pairs, faults, None, "read", heals=True, calm=True)
    explodes = rng.random() < 0.3
    if explodes:
        codec = rng.choice(CODECS)
        for log in rng.choice((pairs[0], pairs[0], pairs[0][:1], pairs[0][1:])):
            log.write([Record(log.end, 1, b"bomb", bomb(codec))], codecs=[codec])
    make = [rng.choice((_fetch_fault, _fetch_fault, _fetch_fault, _other_fault)) for _ in range(rng.randrange(1, 6))]
    faults = [(rng.randrange(2), rng.choice((NEAR, NEAR, NEAR, FAR)), one(rng)) for one in make]
    for _, _, fault in faults if explodes else ():
        if fault["action"] == "slow_bytes":
            # Megabytes a few bytes at a time take their minutes, and that is no stall: bytes do come.
            fault["number"] *= 200
    event = (rng.randrange(2), rng.choice(EVENTS), rng.randrange(400)) if rng.random() < 0.4 else None
    moment = rng.choice(("read", "check"))
    return Schedule(seed, pairs, faults, event, moment, heals=rng.random() < 0.5, calm=False)


class _Place(TypedDict):
    """The partition that an event happens to."""

    topic: str
    partition: int


class Stage:
    """Two clusters of two brokers each, on which a schedule is played."""

    def __init__(self, schedule: Schedule, clusters: Clusters, beside: tuple[FakeCluster, FakeCluster]) -> None:
        self._schedule = schedule
        self._sides = (clusters.left, clusters.right)
        self._beside = beside
        self._happened = False
        for number, (cluster, far) in enumerate(zip(self._sides, beside, strict=True)):
            cluster.create([pair[number] for pair in schedule.pairs])
            cluster.broker.set_peers(peers=[(FAR, "127.0.0.1", far.broker.port)])
            far.broker.set_peers(peers=[(NEAR, "127.0.0.1", cluster.broker.port)])
        for side, node, fault in schedule.faults:
            (self._sides if node == NEAR else beside)[side].fault(**fault)

    @property
    def views(self) -> tuple[View, View]:
        """The topic on the left and on the right."""
        return self._sides[0].view(TOPIC), self._sides[1].view(TOPIC)

    def reached(self, moment: str) -> None:
        """Lets happen what is to happen when the run is about to ``read`` or to ``check``."""
        if moment == "check" and self._schedule.heals:
            for cluster in (*self._sides, *self._beside):
                cluster.broker.clear_faults()
        if self._schedule.event and moment == self._schedule.moment and not self._happened:
            self._happened = True
            self._act(*self._schedule.event)

    def _act(self, side: int, event: str, offset: int) -> None:
        cluster = self._sides[side]
        store, at = cluster.store, _Place(topic=TOPIC, partition=0)
        match event:
            case "delete":
                store.delete_topic(name=TOPIC)
            case "recreate":
                store.recreate_topic(name=TOPIC, topic_id=topic_id())
                log_of(numbered(1 + offset)).store(store, TOPIC, 0)
            case "recreate the same":
                store.delete_topic(name=TOPIC)
                cluster.create([pair[side] for pair in self._schedule.pairs])
            case "replace":
                # The id stays, the epochs and the records do not: what an unclean election leaves behind.
                store.delete_topic(name=TOPIC)
                end = max(1, self._schedule.pairs[0][side].end)
                logs = [Log(end - 1).write([Record(end - 1, 1, b"x", b"x")], leader_epoch=4)]
                logs += [pair[side] for pair in self._schedule.pairs[1:]]
                cluster.create(logs, id_=cluster.topic_ids[TOPIC])
            case "retention":
                store.set_log_start_offset(**at, offset=min(offset, self._schedule.pairs[0][side].end))
            case "truncate":
                store.set_high_watermark(**at, offset=offset)
            case "open transaction":
                store.set_last_stable_offset(**at, offset=offset)
            case "move leader":
                store.set_leader(**at, node_id=FAR)
            case "lose leader":
                store.set_leader(**at, node_id=NOWHERE)


@contextmanager
def staged(schedule: Schedule) -> Iterator[Stage]:
    """Sets the stage, and holds the run to requests that only read."""
    with ExitStack() as stack:
        near = [stack.enter_context(FakeCluster(name, node_id=NEAR)) for name in ("left", "right")]
        far = [
            stack.enter_context(FakeCluster(name, node_id=FAR, store=cluster.store))
            for name, cluster in zip(("left", "right"), near, strict=True)
        ]
        yield Stage(schedule, Clusters(*near), (far[0], far[1]))
        for cluster in (*near, *far):
            assert set(cluster.broker.requests()) <= READ_ONLY_APIS


def outcome_of(left: View, right: View, stall_s: float) -> Outcome:
    """Compares, and puts into an outcome whatever comes of it."""
    try:
        report = run(
            left, right, stall_timeout_s=stall_s, request_timeout_s=stall_s, budget_bytes=BUDGET_BYTES, hang_s=120.0
        )
    except KcompareError as error:
        return Outcome(None, REFUSED, 0.0, 0, [str(error)])
    except AssertionError as error:
        return Outcome(None, -1, 0.0, 0, [], broken=f"a report that does not hold: {error}")
    verdict = report.verdict.value if report.verdict else None
    totals = report.totals.compared_records
    return Outcome(verdict, report.exit_code, report.run.seconds, totals, sorted(reasons(report)))
