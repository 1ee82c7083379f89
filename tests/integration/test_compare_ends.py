"""Logs that begin or end in other places: tails and heads with and without an allowance, and empty topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.support import (
    FIRST_TIMESTAMP,
    compare,
    differences,
    divergence,
    fresh,
    load,
    plain_records,
    run,
)

if TYPE_CHECKING:
    from tests.integration.kafka import Pair, Record

SHORT, MORE = 300, 40

Views = tuple[str, str]


class Ends(NamedTuple):
    """The views of a short and of a longer log."""

    short: str
    longer: str

    def views(self, side: str) -> Views:
        """Left and right view where this side is the longer one."""
        return (self.longer, self.short) if side == "left" else (self.short, self.longer)


def at_time(ordinal: int) -> str:
    """The timestamp of a plain record as an option takes it."""
    seconds = FIRST_TIMESTAMP // 1000 + ordinal
    minutes, rest = divmod(seconds - 1_700_000_000 + 13 * 60 + 20, 60)  # it is 2023-11-14T22:13:20Z
    return f"@2023-11-14T22:{minutes:02d}:{rest:02d}Z"


@pytest.fixture(scope="module")
def ends(kafka: Pair) -> Ends:
    """One partition is longer on one side by 40 records, a second apart; another is the same on both."""
    topic = fresh("ends")
    same = plain_records(50)
    for cluster, count in ((kafka.left, SHORT), (kafka.right, SHORT + MORE)):
        cluster.create_topic(topic, 2)
        load(cluster, topic, {0: plain_records(count), 1: same}, sizes=[70, 33])
    return Ends(kafka.left.view(topic), kafka.right.view(topic))


def only(side: str) -> str:
    return f"only_{side}"


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("other_allowed", [False, True], ids=["none", "other-side"])
def test_a_longer_tail_is_a_difference(ends: Ends, side: str, other_allowed: bool) -> None:  # noqa: FBT001
    other = "right" if side == "left" else "left"
    options = ["--allow-tail", other] if other_allowed else []
    answer = compare(*ends.views(side), *options)
    assert (answer.code, answer.verdicts) == (1, ["DIFFERENT", "EQUAL"])
    one = answer.partition(0)
    assert one["first_divergence"] == (divergence(SHORT, None) if side == "left" else divergence(None, SHORT))
    (found,) = one["findings"]
    assert (found["kind"], found["where"], found["records"]) == (only(side), "tail", MORE)
    assert (found[side], found[other]) == ([SHORT, SHORT + MORE], None)


# The last record of the short side is 40 s older than that of the longer one.
GRANTED = ["", ":40", ":41", ":40s", ":1m", f":{at_time(SHORT)}", f":{at_time(0)}"]
REFUSED = [":39", ":0", ":39s", ":39999ms", f":{at_time(SHORT + 1)}"]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("bound", GRANTED, ids=lambda bound: bound.replace(":", "") or "unbounded")
def test_an_allowed_tail(ends: Ends, side: str, bound: str) -> None:
    answer = compare(*ends.views(side), "--allow-tail", f"{side}{bound}")
    assert (answer.code, answer.verdicts) == (0, ["EQUAL", "EQUAL"])
    assert answer.document["options"]["allow_tail"] == f"{side}{bound}"
    one = answer.partition(0)
    assert one["first_divergence"] is None
    assert one["compared_records"] == SHORT
    assert one[side]["allowed_offsets"] == MORE
    assert one[side]["records"] == SHORT + MORE
    (found,) = one["findings"]
    assert (found["kind"], found["effect"], found["records"]) == (only(side), "allowed", MORE)
    assert "39.0 s" in found["detail"]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("bound", REFUSED, ids=lambda bound: bound.replace(":", ""))
def test_a_tail_past_its_bound_is_a_difference(ends: Ends, side: str, bound: str) -> None:
    answer = compare(*ends.views(side), "--allow-tail", f"{side}{bound}")
    assert (answer.code, answer.verdicts) == (1, ["DIFFERENT", "EQUAL"])
    (found,) = differences(answer.partition(0))
    assert (found["kind"], found["where"]) == (only(side), "tail")
    assert "past the allowance" in found["detail"]


def test_an_unbounded_tail_is_said_in_the_text(ends: Ends) -> None:
    ended = run("compare", *ends.views("right"), "--allow-tail", "both")
    assert ended.code == 0
    assert "tail unbounded" in ended.stdout
    assert "40 records more at the tail of right are allowed, not compared" in ended.stdout.splitlines()[0]


@pytest.mark.parametrize("at", [SHORT - 9, SHORT - 1], ids=["near", "last"])
def test_a_change_before_an_allowed_tail_is_still_found(kafka: Pair, topic_name: str, at: int) -> None:
    right = plain_records(SHORT + MORE)
    right[at] = right[at]._replace(value=b"other")
    for cluster, records in ((kafka.left, plain_records(SHORT)), (kafka.right, right)):
        cluster.create_topic(topic_name)
        load(cluster, topic_name, {0: records})
    answer = compare(kafka.left.view(topic_name), kafka.right.view(topic_name), "--allow-tail", "right")
    assert (answer.code, answer.verdict) == (1, "DIFFERENT")
    one = answer.partition(0)
    assert (one["first_divergence"]["left_offset"], one["first_divergence"]["right_offset"]) == (at, at)
    assert one["first_divergence"]["fields"] == ["value"]
    assert sorted(found["effect"] for found in one["findings"]) == ["allowed", "difference"]


@pytest.mark.parametrize("repeated", [2, 30, SHORT], ids=["two", "thirty", "all"])
def test_a_repetition_is_never_an_allowed_tail(kafka: Pair, topic_name: str, repeated: int) -> None:
    records = plain_records(SHORT)
    for cluster, more in ((kafka.left, []), (kafka.right, records[-repeated:])):
        cluster.create_topic(topic_name)
        load(cluster, topic_name, {0: [*records, *more]})
    answer = compare(kafka.left.view(topic_name), kafka.right.view(topic_name), "--allow-tail", "right")
    assert (answer.code, answer.verdict) == (1, "DIFFERENT")
    (found,) = answer.partition(0)["findings"]
    assert (found["kind"], found["effect"]) == ("duplicated", "difference")
    assert found["right"] == [SHORT, SHORT + repeated]


@pytest.fixture(scope="module")
def heads(kafka: Pair) -> Ends:
    """The same records, of which the left cluster has deleted the first 40."""
    topic = fresh("heads")
    for cluster in kafka:
        cluster.create_topic(topic)
        load(cluster, topic, {0: plain_records(SHORT + MORE)}, sizes=[64])
    kafka.left.delete_records(topic, 0, MORE)
    return Ends(kafka.left.view(topic), kafka.right.view(topic))


@pytest.mark.parametrize("side", ["left", "right"])
def test_deleted_records_at_the_start_are_a_difference(heads: Ends, side: str) -> None:
    answer = compare(*heads.views(side))
    assert (answer.code, answer.verdict) == (1, "DIFFERENT")
    one = answer.partition(0)
    # The next record of the shorter side is its first one.
    assert one["first_divergence"] == (divergence(0, MORE) if side == "left" else divergence(MORE, 0))
    (found,) = one["findings"]
    assert (found["kind"], found["where"], found["records"]) == (only(side), "head", MORE)
    assert found[side] == [0, MORE]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("bound", "code"),
    [
        ("", 0),
        (":40", 0),
        (":40s", 0),
        (":39", 1),
        (":39s", 1),
        (f":{at_time(40)}", 0),
        (f":{at_time(39)}", 1),
    ],
)
def test_an_allowed_head(heads: Ends, side: str, bound: str, code: int) -> None:
    answer = compare(*heads.views(side), "--allow-head", f"{side}{bound}")
    assert answer.code == code
    (found,) = answer.partition(0)["findings"]
    assert (found["kind"], found["where"], found["records"]) == (only(side), "head", MORE)
    assert found["effect"] == ("difference" if code else "allowed")
    if not code:
        assert answer.partition(0)[side]["allowed_offsets"] == MORE
        assert answer.partition(0)["compared_records"] == SHORT
        assert answer.partition(0)["offsets"]["relation"] == "identical"


def test_an_allowance_for_the_other_end_or_side_is_none(heads: Ends) -> None:
    assert compare(*heads.views("right"), "--allow-tail", "both").code == 1
    assert compare(*heads.views("right"), "--allow-head", "left").code == 1


@pytest.fixture(scope="module")
def empties(kafka: Pair) -> tuple[Views, Views, Views]:
    """Both sides empty, only the right one empty, and one partition of two empty on the right."""
    none, one, partly = fresh("empty"), fresh("one-empty"), fresh("partly-empty")
    records = plain_records(20)
    for cluster in kafka:
        for topic in (none, one, partly):
            cluster.create_topic(topic, 2)
    load(kafka.left, one, {0: records, 1: records})
    load(kafka.left, partly, {0: records, 1: records})
    load(kafka.right, partly, {0: records})
    found = [(kafka.left.view(topic), kafka.right.view(topic)) for topic in (none, one, partly)]
    return found[0], found[1], found[2]


def test_nothing_compared_is_never_equal(empties: tuple[Views, Views, Views]) -> None:
    answer = compare(*empties[0])
    assert (answer.code, answer.verdict) == (3, "INCONCLUSIVE")
    assert answer.document["totals"]["compared_records"] == 0
    allowed = compare(*empties[0], "--allow-empty")
    assert (allowed.code, allowed.verdicts) == (0, ["EQUAL", "EQUAL"])
    text = run("compare", *empties[0])
    assert text.code == 3
    assert "nothing was compared" in text.stdout.splitlines()[0]


def test_a_topic_whose_records_are_all_deleted_is_empty_too(kafka: Pair, topic_name: str) -> None:
    for cluster in kafka:
        cluster.create_topic(topic_name)
        load(cluster, topic_name, {0: plain_records(30)})
        cluster.delete_records(topic_name, 0, -1)
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    answer = compare(*views)
    assert (answer.code, answer.verdict) == (3, "INCONCLUSIVE")
    assert answer.partition(0)["left"]["planned"] == [30, 30]
    assert compare(*views, "--allow-empty").code == 0


@pytest.mark.parametrize("turned", [False, True], ids=["right-empty", "left-empty"])
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 1),
        (("--allow-empty",), 1),
        (("--allow-tail", "both"), 3),
        (("--allow-tail", "both", "--allow-empty"), 0),
    ],
    ids=["plain", "allow-empty", "allow-tail", "both"],
)
def test_records_against_none(
    empties: tuple[Views, Views, Views],
    turned: bool,  # noqa: FBT001
    options: tuple[str, ...],
    code: int,
) -> None:
    views = (empties[1][1], empties[1][0]) if turned else empties[1]
    answer = compare(*views, *options)
    assert answer.code == code
    assert answer.document["totals"]["compared_records"] == 0
    if code == 1:
        at = divergence(None, 0) if turned else divergence(0, None)
        assert [one["first_divergence"] for one in answer.partitions] == [at, at]
    if code == 3:
        assert answer.unverified == {("left" if turned else "right", "nothing_compared")}


def test_an_empty_partition_is_not_hidden_by_full_ones(empties: tuple[Views, Views, Views]) -> None:
    plain = compare(*empties[2])
    assert (plain.code, plain.verdicts) == (1, ["EQUAL", "DIFFERENT"])
    allowed = compare(*empties[2], "--allow-tail", "left")
    assert (allowed.code, allowed.verdicts) == (3, ["EQUAL", "INCONCLUSIVE"])
    assert allowed.unverified == {("right", "nothing_compared")}


def test_partitions_that_one_side_lacks(kafka: Pair, topic_name: str) -> None:
    kafka.left.create_topic(topic_name, 3)
    kafka.right.create_topic(topic_name, 2)
    records: list[Record] = plain_records(60)
    load(kafka.left, topic_name, {0: records, 1: records})
    load(kafka.right, topic_name, {0: records, 1: records})
    for views, lacking in (
        ((kafka.left.view(topic_name), kafka.right.view(topic_name)), "right"),
        ((kafka.right.view(topic_name), kafka.left.view(topic_name)), "left"),
    ):
        # An empty partition too is one that the other side lacks.
        answer = compare(*views)
        assert (answer.code, answer.verdicts) == (1, ["EQUAL", "EQUAL", "DIFFERENT"])
        (found,) = answer.partition(2)["findings"]
        assert (found["kind"], found["effect"]) == ("partition_count", "difference")
        assert answer.partition(2)[lacking] is None
        assert answer.document["totals"]["compared_records"] == 120
        some = compare(*views, "--partitions", "0-1")
        assert (some.code, some.verdict) == (0, "EQUAL")
