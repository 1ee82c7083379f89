"""Topics that one may not read, on a real broker with an authorizer: refused, said so, and the others are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from confluent_kafka.admin import AclOperation

from tests.integration.support import compare, fresh, load, plain_records, tail

if TYPE_CHECKING:
    from tests.integration.kafka import Pair
    from tests.integration.kafka.guarded import GuardedCluster
    from tests.integration.support import Answer

RECORDS = plain_records(300)
OPEN = ("first", "last")
CLOSED = {
    "hidden": (AclOperation.DESCRIBE, AclOperation.READ),
    "unreadable": (AclOperation.READ,),
}
"""What is denied of the topics between them. Denying Describe takes a topic out of every list of the broker."""


class Sides(NamedTuple):
    """Two views that end in ``/``, and what the names of the topics begin with."""

    left: str
    right: str
    prefix: str
    guarded: str

    def views(self, name: str) -> tuple[str, str]:
        return f"{self.left}{self.prefix}.{name}", f"{self.right}{self.prefix}.{name}"

    def compare(self, pattern: str, *options: str) -> Answer:
        return compare(self.left, self.right, "--topics", f"{self.prefix}.({pattern})", *options)


@pytest.fixture(scope="module")
def prefix(kafka: Pair, guarded: GuardedCluster) -> str:
    prefix = fresh("access")
    for name in (*OPEN, *CLOSED):
        for cluster in (kafka.left, guarded):
            cluster.create_topic(f"{prefix}.{name}", 2)
            load(cluster, f"{prefix}.{name}", {0: RECORDS, 1: RECORDS})
        if name in CLOSED:
            guarded.deny(f"{prefix}.{name}", *CLOSED[name])
    return prefix


@pytest.fixture(params=["left", "right"])
def sides(request: pytest.FixtureRequest, kafka: Pair, guarded: GuardedCluster, prefix: str) -> Sides:
    """The cluster with the closed topics on either side."""
    views = kafka.left.view(""), guarded.view("")
    left, right = views if request.param == "right" else views[::-1]
    return Sides(left, right, prefix, request.param)


def by_name(found: Answer, prefix: str) -> dict[str, str]:
    return {topic["left"].removeprefix(f"{prefix}."): topic["verdict"] for topic in found.document["topics"]}


@pytest.mark.parametrize("closed", CLOSED)
def test_one_topic_is_refused_and_the_others_are_compared(sides: Sides, closed: str) -> None:
    found = sides.compare("|".join((*OPEN, closed)), "--expect-topics", "3")
    assert (found.code, found.verdict) == (4, "INCONCLUSIVE"), found.document
    assert by_name(found, sides.prefix) == {"first": "EQUAL", "last": "EQUAL", closed: "INCONCLUSIVE"}
    assert found.document["totals"]["compared_records"] == 2 * 2 * len(RECORDS)
    told = found.document["errors"]
    assert {(error["topic"], error["side"]) for error in told} == {(f"{sides.prefix}.{closed}", sides.guarded)}
    assert all("AUTHORIZATION_FAILED" in error["message"] for error in told), told


@pytest.mark.parametrize("closed", CLOSED)
def test_a_topic_that_is_refused_is_neither_missing_nor_equal(sides: Sides, closed: str) -> None:
    found = compare(*sides.views(closed))
    assert (found.code, found.verdict) == (4, "INCONCLUSIVE"), found.document
    assert found.document["totals"]["compared_records"] == 0
    shown = tail(sides.views(closed)[0 if sides.guarded == "left" else 1])
    assert shown.code == 4


def test_a_configuration_that_is_refused_needs_a_mode_that_is_named(
    sides: Sides, kafka: Pair, guarded: GuardedCluster
) -> None:
    """Without cleanup.policy nobody knows whether the topic is a log; every record of it may be read all the same."""
    name = f"{sides.prefix}.unconfigured.{sides.guarded}"
    for cluster in (kafka.left, guarded):
        cluster.create_topic(name)
        load(cluster, name, {0: RECORDS})
    guarded.deny(name, AclOperation.DESCRIBE_CONFIGS)
    views = f"{sides.left}{name}", f"{sides.right}{name}"
    found = compare(*views)
    assert (found.code, found.verdict) == (4, "INCONCLUSIVE"), found.document
    assert [error["side"] for error in found.document["errors"]] == [sides.guarded]
    assert compare(*views, "--mode", "log").code == 0


def test_what_is_open_is_equal(sides: Sides) -> None:
    found = sides.compare("|".join(OPEN), "--expect-topics", "2")
    assert (found.code, found.verdict) == (0, "EQUAL"), found.document


def test_a_difference_beside_a_refused_topic_is_a_difference(
    sides: Sides, kafka: Pair, guarded: GuardedCluster
) -> None:
    """What was found counts, whatever else was refused."""
    name = f"{sides.prefix}.other.{sides.guarded}"
    for cluster, records in ((kafka.left, RECORDS), (guarded, RECORDS[:-1])):
        cluster.create_topic(name)
        load(cluster, name, {0: records})
    found = sides.compare(f"first|unreadable|other.{sides.guarded}")
    assert (found.code, found.verdict) == (1, "DIFFERENT"), found.document
    assert by_name(found, sides.prefix) == {
        "first": "EQUAL",
        "unreadable": "INCONCLUSIVE",
        f"other.{sides.guarded}": "DIFFERENT",
    }
