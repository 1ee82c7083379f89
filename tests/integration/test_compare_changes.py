"""One record changed, missing, doubled or out of place: exit 1, and the exact first divergence."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.kafka import Pair, Record
from tests.integration.support import (
    Document,
    compare,
    differences,
    divergence,
    fresh,
    load,
    plain_records,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 700
LAST = RECORDS - 1

Records = list[Record]


def base(seed: int) -> Records:
    """Records that leave room for every mutation: with headers, and with empty keys and values by turns."""
    chance = random.Random(seed)
    return [
        Record(
            (b"", b"key-%d" % ordinal)[ordinal % 2],
            (b"", chance.randbytes(40))[ordinal % 3 > 0],
            [("a", b"1"), ("b", b"%d" % ordinal), ("a", None)],
            1_700_000_000_000 + ordinal,
        )
        for ordinal in range(RECORDS)
    ]


def flipped(data: bytes | None, at: int) -> bytes:
    """The same bytes but for one bit."""
    assert data
    place = at % len(data)
    return data[:place] + bytes([data[place] ^ (1 << at % 8)]) + data[place + 1 :]


class Change(NamedTuple):
    """A mutation of one record and the fields by which it must be found; `fits` tells where it can be."""

    mutate: Callable[[Record, int], Record]
    fields: str
    fits: Callable[[Record], bool] = lambda _: True


def with_headers(record: Record, *order: int) -> Record:
    return record._replace(headers=[record.headers[place] for place in order])


CHANGES = {
    "value_bit": Change(lambda r, n: r._replace(value=flipped(r.value, n)), "value", lambda r: bool(r.value)),
    "value_longer": Change(lambda r, _: r._replace(value=(r.value or b"") + b"\0"), "value"),
    "value_null_for_empty": Change(lambda r, _: r._replace(value=None), "value", lambda r: r.value == b""),
    "value_deleted": Change(lambda r, _: r._replace(value=None), "value", lambda r: bool(r.value)),
    "key_bit": Change(lambda r, n: r._replace(key=flipped(r.key, n)), "key", lambda r: bool(r.key)),
    "key_null_for_empty": Change(lambda r, _: r._replace(key=None), "key", lambda r: r.key == b""),
    "key_null": Change(lambda r, _: r._replace(key=None), "key", lambda r: bool(r.key)),
    "timestamp_next": Change(lambda r, _: r._replace(timestamp=r.timestamp + 1), "timestamp"),
    "timestamp_none": Change(lambda r, _: r._replace(timestamp=-1), "timestamp"),
    "header_value_bit": Change(lambda r, n: r._replace(headers=[("a", flipped(b"1", n)), *r.headers[1:]]), "headers"),
    "header_name": Change(lambda r, _: r._replace(headers=[("A", b"1"), *r.headers[1:]]), "headers"),
    "header_empty_for_null": Change(lambda r, _: r._replace(headers=[*r.headers[:2], ("a", b"")]), "headers"),
    "headers_swapped": Change(lambda r, _: with_headers(r, 1, 0, 2), "headers"),
    "repeated_headers_swapped": Change(lambda r, _: with_headers(r, 2, 1, 0), "headers"),
    "header_missing": Change(lambda r, _: with_headers(r, 0, 1), "headers"),
    "header_doubled": Change(lambda r, _: with_headers(r, 0, 1, 1, 2), "headers"),
    # The same bytes, cut in another place.
    "bytes_moved_to_value": Change(
        lambda r, _: r._replace(key=(r.key or b"")[:-1], value=(r.key or b"")[-1:] + (r.value or b"")),
        "key,value",
        lambda r: bool(r.key),
    ),
    "everything": Change(
        lambda r, _: Record((r.key or b"") + b"k", (r.value or b"") + b"v", [], r.timestamp - 1),
        "key,value,headers,timestamp",
    ),
}

SEEDS = (1, 2)
CASES = [(name, seed) for name in CHANGES for seed in SEEDS]


class Views(NamedTuple):
    """Two topics with a partition for every case, mutated on the right side, and one that is the same."""

    left: str
    right: str
    partitions: int


def place_of(name: str, seed: int, records: Records) -> int:
    """Where a mutation goes: random, and the same in every run."""
    chance = random.Random(f"{name}-{seed}")
    return chance.choice([at for at, record in enumerate(records) if CHANGES[name].fits(record)])


@pytest.fixture(scope="module")
def changed(kafka: Pair) -> Views:
    topic, last = fresh("changed"), len(CASES)
    left = {number: base(number) for number in range(last + 1)}
    right = {number: list(records) for number, records in left.items()}
    for number, (name, seed) in enumerate(CASES):
        at = place_of(name, seed, left[number])
        right[number][at] = CHANGES[name].mutate(left[number][at], seed)
    for cluster, data, size in ((kafka.left, left, 250), (kafka.right, right, 180)):
        cluster.create_topic(topic, last + 1)
        load(cluster, topic, data, sizes=[size], codecs=["lz4" if size == 180 else "none"])
    return Views(kafka.left.view(topic), kafka.right.view(topic), last + 1)


@pytest.mark.parametrize(("name", "seed"), CASES, ids=[f"{name}-seed{seed}" for name, seed in CASES])
def test_one_changed_record(changed: Views, name: str, seed: int) -> None:
    number, same = CASES.index((name, seed)), changed.partitions - 1
    at = place_of(name, seed, base(number))
    answer = compare(changed.left, changed.right, "--partitions", f"{number},{same}")
    assert (answer.code, answer.verdict) == (1, "DIFFERENT")
    assert [(one["partition"], one["verdict"]) for one in answer.partitions] == [
        (number, "DIFFERENT"),
        (same, "EQUAL"),
    ]
    one = answer.partition(number)
    fields = CHANGES[name].fields.split(",")
    assert one["first_divergence"] == divergence(at, at, *fields)
    (found,) = one["findings"]
    assert (found["kind"], found["effect"], found["records"]) == ("changed", "difference", 1)
    assert (found["left"], found["right"], found["fields"]) == ([at, at + 1], [at, at + 1], fields)
    assert one["compared_records"] == RECORDS
    assert answer.partition(same)["compared_records"] == RECORDS


def test_every_changed_record_of_one_run(changed: Views) -> None:
    answer = compare(changed.left, changed.right)
    assert answer.code == 1
    for number, (name, seed) in enumerate(CASES):
        at = place_of(name, seed, base(number))
        fields = CHANGES[name].fields.split(",")
        assert answer.partition(number)["first_divergence"] == divergence(at, at, *fields)
    assert answer.verdicts == ["DIFFERENT"] * len(CASES) + ["EQUAL"]


def test_the_text_says_where_and_what(changed: Views) -> None:
    number = CASES.index(("value_bit", 1))
    at = place_of("value_bit", 1, base(number))
    ended = run("compare", changed.left, changed.right, "--partitions", str(number))
    assert ended.code == 1
    first, *rest = ended.stdout.splitlines()
    assert first.startswith("DIFFERENT: ")
    assert first.endswith(f"at left offset {at} and right offset {at}, where value differs")
    assert any(f"[{at}, {at + 1})" in line and "changed" in line for line in rest)
    quiet = run("compare", changed.left, changed.right, "--partitions", str(number), "--quiet")
    assert quiet.stdout.splitlines() == [first]


def test_a_field_that_is_not_compared_is_no_difference_and_is_named(changed: Views) -> None:
    number = CASES.index(("timestamp_next", 1))
    options = ("--partitions", str(number), "--fields", "key,value,headers")
    answer = compare(changed.left, changed.right, *options)
    assert (answer.code, answer.verdict) == (0, "EQUAL")
    assert answer.document["options"]["fields"] == ["key", "value", "headers"]
    text = run("compare", changed.left, changed.right, *options).stdout
    assert "timestamp" in text[text.index("\nnot compared\n") :]


class Structure(NamedTuple):
    """A right side made of the left one's records, and what must be found in it."""

    right: Callable[[Records, int], Records]
    kind: str
    left: Callable[[int], tuple[int, int] | None]
    right_range: Callable[[int], tuple[int, int] | None]
    parts_at: Callable[[int], tuple[int | None, int | None]]
    records: int
    where: str | None = None


def run_of(start: int, stop: int) -> Callable[[int], tuple[int, int] | None]:
    """Offsets relative to the place."""
    return lambda at: (at + start, at + stop)


def nowhere(_: int) -> None:
    return None


def late(at: int) -> int:
    """A place in the second half: kinds are named where at most a thousand records differ."""
    return RECORDS // 2 + at // 2


def moved(records: Records, at: int) -> Records:
    return [*records[:at], *records[at + 1 : at + 40], records[at], *records[at + 40 :]]


STRUCTURES = {
    "missing": Structure(
        lambda r, at: r[:at] + r[at + 1 :],
        "only_left",
        run_of(0, 1),
        nowhere,
        lambda at: (at, at),
        1,
        "middle",
    ),
    "ten_missing": Structure(
        lambda r, at: r[:at] + r[at + 10 :],
        "only_left",
        run_of(0, 10),
        nowhere,
        lambda at: (at, at),
        10,
        "middle",
    ),
    "one_more": Structure(
        lambda r, at: [*r[:at], Record(b"more", b"more", [], 5), *r[at:]],
        "only_right",
        nowhere,
        run_of(0, 1),
        lambda at: (at, at),
        1,
        "middle",
    ),
    "doubled": Structure(
        lambda r, at: r[: at + 1] + r[at:],
        "duplicated",
        nowhere,
        run_of(1, 2),
        lambda at: (at + 1, at + 1),
        1,
    ),
    "ten_doubled": Structure(
        lambda r, at: r[: at + 10] + r[at:],
        "duplicated",
        nowhere,
        run_of(10, 20),
        lambda at: (at + 10, at + 10),
        10,
    ),
    "swapped": Structure(
        lambda r, at: [*r[:at], r[at + 1], r[at], *r[at + 2 :]],
        "reordered",
        run_of(0, 2),
        run_of(0, 2),
        lambda at: (at, at),
        1,
    ),
    "swapped_far": Structure(
        lambda r, at: [*r[:at], r[at + 30], *r[at + 1 : at + 30], r[at], *r[at + 31 :]],
        "reordered",
        run_of(0, 31),
        run_of(0, 31),
        lambda at: (at, at),
        2,
    ),
    "moved": Structure(moved, "reordered", run_of(0, 40), run_of(0, 40), lambda at: (at, at), 1),
    "first_missing": Structure(lambda r, _: r[1:], "only_left", lambda _: (0, 1), nowhere, lambda _: (0, 0), 1, "head"),
    "last_missing": Structure(
        lambda r, _: r[:-1],
        "only_left",
        lambda _: (LAST, RECORDS),
        nowhere,
        lambda _: (LAST, None),
        1,
        "tail",
    ),
    "first_doubled": Structure(lambda r, _: r[:1] + r, "duplicated", nowhere, lambda _: (1, 2), lambda _: (1, 1), 1),
    "last_doubled": Structure(
        lambda r, _: r + r[-1:],
        "duplicated",
        nowhere,
        lambda _: (RECORDS, RECORDS + 1),
        lambda _: (None, RECORDS),
        1,
    ),
    "first_two_swapped": Structure(
        lambda r, _: [r[1], r[0], *r[2:]],
        "reordered",
        lambda _: (0, 2),
        lambda _: (0, 2),
        lambda _: (0, 0),
        1,
    ),
    "last_two_swapped": Structure(
        lambda r, _: [*r[:-2], r[-1], r[-2]],
        "reordered",
        lambda _: (LAST - 1, RECORDS),
        lambda _: (LAST - 1, RECORDS),
        lambda _: (LAST - 1, LAST - 1),
        1,
    ),
    # A mirror that started over.
    "all_doubled": Structure(
        lambda r, _: r + r,
        "duplicated",
        nowhere,
        lambda _: (RECORDS, 2 * RECORDS),
        lambda _: (None, RECORDS),
        RECORDS,
    ),
    "forked": Structure(
        lambda r, at: r[: late(at)] + plain_records(RECORDS + 20 - late(at)),
        "forked",
        lambda at: (late(at), RECORDS),
        lambda at: (late(at), RECORDS + 20),
        lambda at: (late(at), late(at)),
        0,
    ),
}

SHAPES = [(name, seed) for name in STRUCTURES for seed in SEEDS]


def structure_place(name: str, seed: int) -> int:
    return random.Random(f"{name}-{seed}").randrange(1, RECORDS - 50)


@pytest.fixture(scope="module")
def structures(kafka: Pair) -> dict[str, tuple[Document, Document]]:
    """One run over a partition for every case, and one with the two sides exchanged."""
    topic = fresh("structures")
    left = {number: base(number) for number in range(len(SHAPES))}
    right = {
        number: STRUCTURES[name].right(left[number], structure_place(name, seed))
        for number, (name, seed) in enumerate(SHAPES)
    }
    for cluster, data, sizes in ((kafka.left, left, [300]), (kafka.right, right, [7, 300])):
        cluster.create_topic(topic, len(SHAPES))
        load(cluster, topic, data, sizes=sizes)
    views = kafka.left.view(topic), kafka.right.view(topic)
    answers = [compare(*views), compare(*reversed(views))]
    assert [(answer.code, set(answer.verdicts)) for answer in answers] == [(1, {"DIFFERENT"})] * 2
    return {
        f"{name}-seed{seed}": (answers[0].partition(number), answers[1].partition(number))
        for number, (name, seed) in enumerate(SHAPES)
    }


def parts(partition: Document) -> tuple[int | None, int | None]:
    """The offsets of the first divergence."""
    found = partition["first_divergence"]
    return found["left_offset"], found["right_offset"]


def listed(offsets: tuple[int, int] | None) -> list[int] | None:
    return None if offsets is None else list(offsets)


@pytest.mark.parametrize(("name", "seed"), SHAPES, ids=[f"{name}-seed{seed}" for name, seed in SHAPES])
def test_records_missing_doubled_or_out_of_place(
    structures: dict[str, tuple[Document, Document]], name: str, seed: int
) -> None:
    expected, at = STRUCTURES[name], structure_place(name, seed)
    one, mirrored = structures[f"{name}-seed{seed}"]
    left, right = expected.parts_at(at)
    assert parts(one) == (left, right)
    if expected.kind not in {"reordered", "forked"}:
        assert one["first_divergence"]["fields"] == []
    (found,) = one["findings"]
    assert (found["kind"], found["where"]) == (expected.kind, expected.where)
    assert found["left"] == listed(expected.left(at))
    assert found["right"] == listed(expected.right_range(at))
    # How many of exchanged records count as moved is a matter of taste.
    if expected.kind not in {"reordered", "forked"}:
        assert found["records"] == expected.records
    # Exchanged sides tell the same story.
    assert parts(mirrored) == (right, left)
    (turned,) = differences(mirrored)
    kinds = {"only_left": "only_right", "only_right": "only_left"}
    assert turned["kind"] == kinds.get(expected.kind, expected.kind)
    assert (turned["left"], turned["right"]) == (found["right"], found["left"])


def test_several_differences_are_all_found_in_order(kafka: Pair, topic_name: str) -> None:
    left = plain_records(2000)
    right = list(left)
    right[1500] = right[1500]._replace(value=b"other")
    del right[900]
    right.insert(300, right[299])
    for cluster, records in ((kafka.left, left), (kafka.right, right)):
        cluster.create_topic(topic_name)
        load(cluster, topic_name, {0: records}, sizes=[111])
    views = kafka.left.view(topic_name), kafka.right.view(topic_name)
    one = compare(*views).partition(0)
    assert one["first_divergence"] == divergence(300, 300)
    assert [(found["kind"], found["left"], found["right"]) for found in one["findings"]] == [
        ("duplicated", None, [300, 301]),
        ("only_left", [900, 901], None),
        ("changed", [1500, 1501], [1500, 1501]),
    ]
    cut = compare(*views, "--max-findings", "1").partition(0)
    assert (len(cut["findings"]), cut["findings_total"], cut["findings_truncated"]) == (1, 3, True)
    assert cut["first_divergence"] == one["first_divergence"]


def test_long_other_histories_have_an_exact_first_divergence(kafka: Pair, topic_name: str) -> None:
    left = plain_records(9000)
    right = [*left[:4321], *(each._replace(value=b"other") for each in plain_records(9000, first=20_000))]
    for cluster, records in ((kafka.left, left), (kafka.right, right)):
        cluster.create_topic(topic_name)
        load(cluster, topic_name, {0: records}, sizes=[500])
    answer = compare(kafka.left.view(topic_name), kafka.right.view(topic_name), "--allow-tail", "both")
    assert (answer.code, answer.verdict) == (1, "DIFFERENT")
    assert parts(answer.partition(0)) == (4321, 4321)
