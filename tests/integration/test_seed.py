"""The scenario that kcompare was made for: is the restored hot snapshot a prefix of the mirror, with nothing missing?

`rehearsal.py` plays it once on two real brokers with MirrorMaker 2; the tests ask what the operator asks afterwards,
first of the restored snapshot as it is, then of one that lost segment files on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.integration.rehearsal import (
    MORE_AFTERWARDS,
    PARTITIONS,
    STEP_MS,
    TRANSACTION,
    Damage,
    Rehearsal,
    rehearsed,
    transactional_producer,
)
from tests.integration.support import compare, differences, divergence, run, tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.kafka.snapshot import Segment
    from tests.integration.support import Answer, Document

pytestmark = pytest.mark.timeout(900)

TOPICS = ("blogs", "items")
LAST = 5


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    with rehearsed(tmp_path_factory.mktemp("seed-logs")) as result:
        yield result


@pytest.fixture
def intact(rehearsal: Rehearsal) -> Rehearsal:
    """The first cluster runs on the hot copy as it was taken."""
    rehearsal.restore()
    return rehearsal


class Damaged(NamedTuple):
    """The first cluster runs on a hot copy that lost three segments."""

    rehearsal: Rehearsal
    middle: Segment
    first: Segment
    last: Segment


# The first partition is captured first, so that its tail is the longest one also before it loses a segment.
MIDDLE_OF, FIRST_OF, LAST_OF = 1, 7, 0


@pytest.fixture
def damaged(rehearsal: Rehearsal) -> Damaged:
    """One from the middle of a partition of blogs; the first one and the last one of two partitions of items."""
    blogs = rehearsal.segments("blogs", MIDDLE_OF)
    assert len(blogs) >= 4
    middle = blogs[len(blogs) // 2]
    first, last = rehearsal.segments("items", FIRST_OF)[0], rehearsal.segments("items", LAST_OF)[-1]
    rehearsal.restore(
        Damage(topic="blogs", partition=MIDDLE_OF, segment=middle),
        Damage(topic="items", partition=FIRST_OF, segment=first),
        Damage(topic="items", partition=LAST_OF, segment=last),
    )
    return Damaged(rehearsal, middle, first, last)


def ends(offsets: list[tuple[int, int]]) -> list[int]:
    return [stop for _, stop in offsets]


def tails(rehearsal: Rehearsal, topic: str) -> list[list[int]]:
    """What the mirror has more, by the offsets that another client reads."""
    restored, mirrored = ends(rehearsal.restored_offsets(topic)), ends(rehearsal.mirrored_offsets(topic))
    return [list(pair) for pair in zip(restored, mirrored, strict=True)]


def size(offsets: list[int]) -> int:
    return offsets[1] - offsets[0]


def findings(partition: Document, effect: str) -> list[tuple[str, str | None, Any, Any, int]]:
    return [
        (found["kind"], found["where"], found["left"], found["right"], found["records"])
        for found in partition["findings"]
        if found["effect"] == effect
    ]


def hold_to_prefix(partition: Document, tail_of_mirror: list[int]) -> None:
    """The partition is EQUAL, whole, and the mirror has exactly this tail more."""
    stop, mirrored = tail_of_mirror
    left, right = partition["left"], partition["right"]
    assert (partition["verdict"], partition["first_divergence"]) == ("EQUAL", None)
    assert (left["planned"], right["planned"]) == ([0, stop], [0, mirrored])
    assert partition["compared_records"] == left["covered_offsets"] == right["covered_offsets"] == stop
    assert (left["records"], right["records"]) == (stop, mirrored)
    assert (left["allowed_offsets"], right["allowed_offsets"]) == (0, mirrored - stop)
    assert (left["uncovered_offsets"], right["uncovered_offsets"]) == (0, 0)
    assert sum((*left["gap_offsets"].values(), *right["gap_offsets"].values())) == 0
    assert partition["offsets"]["relation"] == "identical"
    (found,) = partition["findings"]
    assert findings(partition, "allowed") == [("only_right", "tail", None, tail_of_mirror, mirrored - stop)]
    assert f"spanning {(mirrored - stop - 1) * STEP_MS / 1000:.1f} s" in found["detail"]


def verdicts_but(answer: Answer, *different: int) -> None:
    """These partitions are DIFFERENT and all others EQUAL."""
    expected = ["DIFFERENT" if one["partition"] in different else "EQUAL" for one in answer.partitions]
    assert answer.verdicts == expected, answer.why


@pytest.mark.parametrize("topic", TOPICS)
def test_the_rehearsal_is_what_it_claims_to_be(intact: Rehearsal, topic: str) -> None:
    assert not (intact.copy / ".kafka_cleanshutdown").exists()
    restored = intact.restored_offsets(topic)
    assert [start for start, _ in restored] == [0] * PARTITIONS[topic]
    heads = ends(restored)
    # Nothing that was acknowledged before the copy is gone, and the partitions were captured one after the other.
    for before, head, after in zip(intact.before_copy[topic], heads, intact.after_copy[topic], strict=True):
        assert before < head <= after
    assert heads == sorted(set(heads))
    assert ends(intact.mirrored_offsets(topic)) == intact.written[topic]
    assert all(size(more) >= MORE_AFTERWARDS for more in tails(intact, topic))
    assert all(len(intact.segments(topic, number)) >= 3 for number in range(PARTITIONS[topic]))


@pytest.mark.parametrize("topic", TOPICS)
def test_the_ends_of_the_restored_topic_and_of_its_mirror(intact: Rehearsal, topic: str) -> None:
    found = tail(*intact.views(topic), "-n", str(LAST))
    assert found.code == 0
    everything = (ends(intact.restored_offsets(topic)), ends(intact.mirrored_offsets(topic)))
    for view, name, stops in zip(found.document["views"], intact.views(topic), everything, strict=True):
        assert view["view"] == name
        assert [one["stop"] for one in view["partitions"]] == stops
        for number, (one, stop) in enumerate(zip(view["partitions"], stops, strict=True)):
            assert one["partition"] == number
            assert one["records"] == [shown(intact, topic, number, at) for at in range(stop - LAST, stop)]
            assert one["last_timestamp"] == intact.record(topic, number, stop - 1).timestamp
        assert view["end_skew_ms"] == (max(stops) - min(stops)) * STEP_MS
        assert view["common_prefix_stop"] == min(stops)


def shown(rehearsal: Rehearsal, topic: str, partition: int, offset: int) -> Document:
    """A record that a producer wrote as `tail` has to show it."""
    key, value, _, timestamp = rehearsal.record(topic, partition, offset)
    return {
        "offset": offset,
        "timestamp": timestamp,
        "key_bytes": None if key is None else len(key),
        "value_bytes": None if value is None else len(value),
    }


@pytest.mark.parametrize("topic", TOPICS)
def test_the_restored_topic_is_a_prefix_of_the_mirror(intact: Rehearsal, topic: str) -> None:
    answer = compare(*intact.views(topic), "--allow-tail", "right")
    assert (answer.code, answer.verdict) == (0, "EQUAL"), answer.why
    more = tails(intact, topic)
    assert len(answer.partitions) == PARTITIONS[topic]
    for partition, tail_of_mirror in zip(answer.partitions, more, strict=True):
        hold_to_prefix(partition, tail_of_mirror)
    totals = answer.document["totals"]
    assert totals["compared_records"] == totals["left_records"] == sum(stop for stop, _ in more)
    assert totals["right_records"] == sum(intact.written[topic])


@pytest.mark.parametrize("topic", TOPICS)
def test_the_tail_of_the_mirror_is_allowed_up_to_its_bound(intact: Rehearsal, topic: str) -> None:
    more = tails(intact, topic)
    sizes = [size(one) for one in more]
    longest = max(sizes)
    exact = compare(*intact.views(topic), "--allow-tail", f"right:{longest}")
    assert (exact.code, exact.verdict) == (0, "EQUAL"), exact.why
    # One record less, and exactly the partitions with so long a tail are past it.
    less = compare(*intact.views(topic), "--allow-tail", f"right:{longest - 1}")
    assert less.code == 1
    verdicts_but(less, *(number for number, found in enumerate(sizes) if found == longest))
    none = compare(*intact.views(topic), "--allow-tail", "right:5")
    assert none.code == 1
    verdicts_but(none, *range(PARTITIONS[topic]))
    for partition, (stop, mirrored) in zip(none.partitions, more, strict=True):
        assert partition["first_divergence"] == divergence(None, stop)
        assert findings(partition, "difference") == [("only_right", "tail", None, [stop, mirrored], mirrored - stop)]


def test_what_the_operator_reads_of_an_unbounded_tail(intact: Rehearsal) -> None:
    more = sum(size(one) for one in tails(intact, "items"))
    ended = run("compare", *intact.views("items"), "--allow-tail", "right")
    first = ended.stdout.splitlines()[0]
    assert first.startswith("EQUAL: ")
    assert "in 10 partitions" in first
    assert f"{more:,} records more at the tail of right are allowed, not compared" in first
    assert ended.stdout.count("tail unbounded: spanning") == 10


# Three transactions with their markers are in the copy, and in one partition the records of an open one.
STABLE = 3 * (TRANSACTION + 1)
COMMITTED = 2 * TRANSACTION


def test_transactions_that_had_ended_when_the_copy_was_taken(intact: Rehearsal) -> None:
    assert intact.restored_offsets("orders")[1] == (0, STABLE)
    assert intact.mirrored_offsets("orders")[1] == (0, COMMITTED + TRANSACTION)
    answer = compare(*intact.views("orders"), "--allow-tail", "right", "--partitions", "1")
    assert (answer.code, answer.verdict) == (0, "EQUAL"), answer.why
    one = answer.partition(1)
    assert one["compared_records"] == one["left"]["records"] == COMMITTED
    gaps = one["left"]["gap_offsets"]
    assert (gaps["control"], gaps["aborted"], gaps["unexplained"]) == (3, TRANSACTION, 0)
    more = [COMMITTED, COMMITTED + TRANSACTION]
    assert findings(one, "allowed") == [("only_right", "tail", None, more, TRANSACTION)]


def test_a_transaction_that_was_open_when_the_copy_was_taken(intact: Rehearsal) -> None:
    options = ("--allow-tail", "right", "--partitions", "0", "--settle", "1s")
    held = compare(*intact.views("orders"), *options)
    assert (held.code, held.verdict) == (3, "INCONCLUSIVE")
    assert ("left", "open_transaction") in held.unverified
    left = held.partition(0)["left"]
    assert (left["last_stable_offset"], left["high_watermark"]) == (STABLE, STABLE + TRANSACTION)
    assert left["uncovered_offsets"] == TRANSACTION
    # The application starts again on the restored cluster, which aborts what it had left open and what the mirror,
    # whose source went on, holds as committed: no tail, but a history that the restored cluster will never have.
    transactional_producer(intact.restored, intact.topics["orders"])
    answer = compare(*intact.views("orders"), *options)
    assert (answer.code, answer.verdict) == (1, "DIFFERENT"), answer.why
    one = answer.partition(0)
    assert one["compared_records"] == COMMITTED
    assert one["left"]["gap_offsets"]["aborted"] == 2 * TRANSACTION
    assert one["first_divergence"] == divergence(None, COMMITTED)
    found = differences(one)[0]
    assert (found["kind"], found["right"][0]) == ("aborted_copied", COMMITTED)


def test_a_segment_lost_from_the_middle(damaged: Damaged) -> None:
    rehearsal, base, following = damaged.rehearsal, damaged.middle.base_offset, damaged.middle.next_base_offset
    assert following is not None
    lost = following - base
    more = tails(rehearsal, "blogs")
    for option in ([], ["--allow-gaps"]):
        answer = compare(*rehearsal.views("blogs"), "--allow-tail", "right", *option)
        assert (answer.code, answer.verdict) == (1, "DIFFERENT")
        verdicts_but(answer, MIDDLE_OF)
        one = answer.partition(MIDDLE_OF)
        # The restored log goes on behind the hole, the mirror with the first record that was lost.
        assert one["first_divergence"] == divergence(following, base)
        assert findings(one, "difference") == [("only_right", "middle", None, [base, following], lost)]
        assert findings(one, "allowed") == [("only_right", "tail", None, more[MIDDLE_OF], size(more[MIDDLE_OF]))]
        stop, mirrored = more[MIDDLE_OF]
        assert (one["left"]["planned"], one["left"]["records"]) == ([0, stop], stop - lost)
        assert (one["right"]["planned"], one["right"]["records"]) == ([0, mirrored], mirrored)
        assert one["compared_records"] == stop - lost
        assert one["left"]["gap_offsets"]["unexplained"] == lost
        assert sum(one["left"]["gap_offsets"].values()) == lost
        hole = [found for found in one["findings"] if found.get("reason") == "unexplained_gap"]
        assert [(found["side"], found["left"]) for found in hole] == ([] if option else [("left", [base, following])])
        for number in {0, 1, 2} - {MIDDLE_OF}:
            hold_to_prefix(answer.partition(number), more[number])


def test_what_the_operator_reads_of_a_lost_segment(damaged: Damaged) -> None:
    base, following = damaged.middle.base_offset, damaged.middle.next_base_offset
    first = run("compare", *damaged.rehearsal.views("blogs"), "--allow-tail", "right").stdout.splitlines()[0]
    assert first.startswith("DIFFERENT: ")
    assert f"part in 1 of 3 partitions, first in partition {MIDDLE_OF} " in first
    assert f"left offset {following} and right offset {base}" in first


def test_the_first_and_the_last_segment_lost(damaged: Damaged) -> None:
    rehearsal, more = damaged.rehearsal, tails(damaged.rehearsal, "items")
    head, cut = damaged.first.next_base_offset, damaged.last.base_offset
    assert head is not None
    # The last one lowers the end: it is a longer tail of the mirror, and only its size tells.
    assert more[LAST_OF] == [cut, rehearsal.written["items"][LAST_OF]]
    without = compare(*rehearsal.views("items"), "--allow-tail", "right")
    assert without.code == 1
    verdicts_but(without, FIRST_OF)
    one = without.partition(FIRST_OF)
    assert one["first_divergence"] == divergence(head, 0)
    assert findings(one, "difference") == [("only_right", "head", None, [0, head], head)]
    for number in set(range(10)) - {FIRST_OF}:
        hold_to_prefix(without.partition(number), more[number])
    # The operator who knows what may be missing at the end is told of the partition where more is.
    usual = max(size(found) for number, found in enumerate(more) if number != LAST_OF)
    assert size(more[LAST_OF]) > usual
    bounded = compare(*rehearsal.views("items"), "--allow-tail", f"right:{usual}", "--allow-head", "right")
    assert bounded.code == 1
    verdicts_but(bounded, LAST_OF)
    assert bounded.partition(LAST_OF)["first_divergence"] == divergence(None, cut)
    assert findings(bounded.partition(FIRST_OF), "allowed")[0] == ("only_right", "head", None, [0, head], head)
