"""Kafka's own loader of partition directories, without a broker: thousands of starts in the time of one."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.integration.kafka.child import java

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = Path(__file__).with_name("LoadLogs.java")
TIMEOUT_S = 240.0


class LoadOrder(NamedTuple):
    """A directory, which the loader changes, and what the log directory around it would say."""

    directory: Path
    clean_shutdown: bool
    recovery_point: int
    log_start_checkpoint: int
    wanted: tuple[int, ...] = ()
    """Offsets that are looked for when the log is loaded."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What became of it.

    Attributes:
        refused: The exception that would have ended the broker; empty if it came up.
        segments: Bytes that are left of each segment, by base offset.
        found: Where a fetch at a wanted offset begins: base offset of the segment, and byte; None for nowhere. Offsets
            that the broker answers with an error are left out.
    """

    refused: str
    log_start_offset: int = 0
    log_end_offset: int = 0
    segments: dict[int, int] | None = None
    found: dict[int, tuple[int, int] | None] | None = None


def load(orders: Sequence[LoadOrder]) -> list[Loaded]:
    """Loads directories as a broker of the fixtures' version would when it starts.

    Raises:
        RuntimeError: The program failed; what it said is in the message.
    """
    lines = [
        f"{order.directory}\t{str(order.clean_shutdown).lower()}\t{order.recovery_point}\t{order.log_start_checkpoint}\t"
        f"{','.join(map(str, order.wanted))}\n"
        for order in orders
    ]
    done = subprocess.run(
        java(str(PROGRAM), heap="512m"),
        input="".join(lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    answers = done.stdout.splitlines()
    if done.returncode != 0 or len(answers) != len(orders):
        raise RuntimeError(f"{len(answers)} of {len(orders)} directories were loaded:\n{done.stderr}")
    return [_answer(order, line.split("\t")) for order, line in zip(orders, answers, strict=True)]


def _answer(order: LoadOrder, fields: list[str]) -> Loaded:
    if fields[0] == "refused":
        return Loaded(refused=": ".join(fields[1:]))
    start, end, *segments, finds = fields
    sizes = dict(_pair(each) for each in segments)
    places = zip(order.wanted, finds.split(" ")[1:], strict=True)
    return Loaded(
        refused="",
        log_start_offset=int(start),
        log_end_offset=int(end),
        segments=sizes,
        found={offset: None if place == "-" else _pair(place) for offset, place in places if place != "!"},
    )


def _pair(text: str) -> tuple[int, int]:
    first, _, second = text.partition(":")
    return int(first), int(second)
