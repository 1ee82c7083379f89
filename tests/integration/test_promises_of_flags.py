"""Read-only on the wire whatever the command line asks for: every option that can change what is sent, by a proxy."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import pytest
import typer

from kcompare.cli import app
from kcompare.settings.quantities import format_time
from tests.integration.support import (
    FIRST_TIMESTAMP,
    GatedProxy,
    check,
    compare,
    fresh,
    load,
    plain_records,
    tail,
)
from tests.integration.test_promises import held_to_read_only, topics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.kafka import Pair

RECORDS = plain_records(400)
CHANGED = [*RECORDS[:200], RECORDS[200]._replace(value=b"other"), *RECORDS[201:]]
TAIL = 30


def time(ordinal: int) -> str:
    """The time of a record."""
    return format_time(FIRST_TIMESTAMP + 1000 * ordinal)


class Case(NamedTuple):
    """One command line: what is compared or shown, its options, and the exit code that shows that it ran."""

    topic: str
    options: str
    code: int
    command: str = "compare"


CASES = [
    # Partition 0 of "plain" has a tail on the right, partition 1 a record that differs: reading it again is part of it.
    Case("plain", "", 1),
    Case("plain", "--partitions 0-1", 1),
    Case("plain", "--partitions 0 --allow-tail right", 0),
    Case("plain", "--partitions 0 --allow-tail right:10", 1),
    Case("plain", "--partitions 0 --allow-tail right:60s", 0),
    Case("plain", f"--partitions 0 --allow-tail right:{time(390)}", 0),
    Case("plain", "--partitions 0 --allow-tail both --allow-head right --left-range 10:", 0),
    Case("plain", "--allow-tail both --allow-head both", 1),
    Case("plain", "--left-range 50:150 --right-range 50:150", 0),
    Case("plain", "--left-range 50:250 --right-range 50:250", 1),
    Case("plain", f"--left-range {time(7)}:{time(90)} --right-range {time(7)}:{time(90)}", 0),
    Case("plain", f"--left-range {time(7)}: --right-range {time(7)}:", 1),
    Case("plain", "--partitions 1 --left-range=-50 --right-range=-50", 0),
    Case("plain", "--rate-limit 1MB/s --workers 3 --budget 4MiB", 1),
    Case("plain", "--fields key,value,headers --mode log --partitions 1", 1),
    Case("plain", "--fields key,value,headers,offset --max-findings 1", 1),
    Case("plain", "--stall-timeout 20s --request-timeout 10s --data-path native", 1),
    Case("plain", "-L client.id=audit -R client.id=audit --left-config FILE --right-config FILE", 1),
    # Both sides have a committed, an aborted and an open transaction.
    Case("transactional", "--settle 1s", 3),
    Case("transactional", "--settle 1s --isolation read_uncommitted", 0),
    Case("transactional", "--settle 1s --left-isolation read_uncommitted --right-isolation read_committed", 3),
    Case("transactional", "--settle 1s --allow-gaps --allow-tail both", 3),
    Case("compacted", "", 3),
    Case("compacted", "--mode log", 0),
    Case("empty", "", 3),
    Case("empty", "--allow-empty", 0),
    # The views end in '/': many topics in one run.
    Case("", "--topics PREFIX.* --expect-topics 4 --settle 1s", 1),
    Case("", "--topics PREFIX.(plain|empty) --map (.*)=\\1 --allow-empty --rate-limit 2MB/s --partitions 0", 1),
    Case("", "--topics PREFIX.(plain|empty) --map PREFIX.empty=nowhere --map (.*)=\\1", 1),
    Case("plain", "", 0, "tail"),
    Case("plain", "-n 3 --show-values", 0, "tail"),
    Case("transactional", "--count 3 --isolation read_uncommitted", 0, "tail"),
    Case("transactional", "--isolation read_committed", 3, "tail"),
    Case("plain", "-L client.id=audit -R client.id=audit --left-config FILE --right-config FILE", 0, "tail"),
    Case("plain", "--data-path native", 0, "tail"),
    Case("plain", "", 0, "check"),
    Case("plain", "--partitions 0-1 --allow-gaps --allow-empty --max-findings 3", 0, "check"),
    Case("plain", "--rate-limit 1MB/s --workers 3 --budget 4MiB", 0, "check"),
    Case("plain", "-L client.id=audit --left-config FILE --data-path native", 0, "check"),
    Case("plain", "--stall-timeout 20s --request-timeout 10s", 0, "check"),
    Case("", "--topics PREFIX.plain --expect-topics 1", 0, "check"),
]

LOCAL = {"--output", "--export", "--quiet", "--no-progress"}
"""Options that say where a result goes, and nothing about what is asked of a cluster."""

ELSEWHERE = {"--allow-same"}
"""Options with a test of their own below."""


@pytest.fixture(scope="module")
def prefix(kafka: Pair) -> str:
    """What the names of the topics here begin with."""
    prefix = fresh("flags")
    right = {0: plain_records(len(RECORDS) + TAIL), 1: CHANGED}
    for cluster, plain in ((kafka.left, {0: RECORDS, 1: RECORDS}), (kafka.right, right)):
        cluster.create_topic(f"{prefix}.plain", 2)
        load(cluster, f"{prefix}.plain", plain)
        cluster.create_topic(f"{prefix}.compacted", cleanup_policy="compact")
        load(cluster, f"{prefix}.compacted", {0: RECORDS})
        cluster.create_topic(f"{prefix}.empty")
        name = cluster.create_topic(f"{prefix}.transactional")
        for number, outcome in enumerate(("commit", "abort", "open")):
            settings = {"transactional.id": f"{name}-{cluster.name}-{number}", "transaction.timeout.ms": 600_000}
            cluster.produce(name, 0, plain_records(20, first=20 * number), settings, outcome=outcome)
    return prefix


@pytest.fixture
def proxies(kafka: Pair) -> Iterator[tuple[GatedProxy, GatedProxy]]:
    with contextlib.ExitStack() as stack:
        left, right = (stack.enter_context(GatedProxy(cluster.broker)) for cluster in kafka)
        yield left, right


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.command} {case.topic or 'many'} {case.options}")
def test_no_option_sends_more_than_reading_requests(
    kafka: Pair, prefix: str, proxies: tuple[GatedProxy, GatedProxy], case: Case, tmp_path: Path
) -> None:
    before = [topics(cluster) for cluster in kafka]
    config = tmp_path / "client.properties"
    config.write_text("client.id=audit\n")
    options = case.options.replace("PREFIX", prefix.replace(".", "[.]")).replace("FILE", str(config)).split()
    views = [proxy.view(f"{prefix}.{case.topic}" if case.topic else "") for proxy in proxies]
    if case.command == "check":
        ended = [check(view, *options) for view in views]
    elif case.command == "compare":
        ended = [compare(*views, *options)]
    else:
        ended = [tail(*views, *options)]
    for found in ended:
        assert found.code == case.code, found.document
    for proxy in proxies:
        held_to_read_only(proxy)
    assert [topics(cluster) for cluster in kafka] == before


def test_the_same_topic_when_it_may_be_is_only_read(prefix: str, proxies: tuple[GatedProxy, GatedProxy]) -> None:
    view = proxies[0].view(f"{prefix}.plain")
    assert compare(view, view, "--allow-same").code == 0
    held_to_read_only(proxies[0])


def test_no_option_is_left_out() -> None:
    """A new option has to be given a case here, or be said to send nothing."""
    commands = typer.main.get_command(app._APP).commands  # type: ignore[attr-defined]
    for name in ("compare", "tail", "check"):
        named = {option for each in commands[name].params for option in each.opts if option.startswith("-")}
        given = {word.partition("=")[0] for case in CASES if case.command == name for word in case.options.split()}
        assert named - given <= LOCAL | (ELSEWHERE if name == "compare" else set()), name
    # demo has brokers of its own, serve reads directories; any other command reads clusters.
    assert set(commands) == {"compare", "tail", "check", "demo", "serve"}
