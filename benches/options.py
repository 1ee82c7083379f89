"""What can be asked of the bench; all of it has a default, and a flag to cut the run short."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benches.rows import ROWS
from tests.integration.kafka.batches import CODECS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROW_NAMES = tuple(row.name for row in ROWS)
# The headline is about records of 100 B without a codec. The others have as many records as a round takes seconds for.
HEADLINE = (100, "none")
DEFAULT_CODECS = ("none", "lz4", "zstd")


@dataclass(frozen=True)
class Options:
    """What was asked for; it is part of the JSON output. Records are those of each partition."""

    records: int
    other_records: int
    large_records: int
    long_prefix: int
    prefix: int
    rounds: int
    sizes: tuple[int, ...]
    codecs: tuple[str, ...]
    rows: tuple[str, ...]

    def records_of(self, size: int, codec: str) -> int:
        """Returns how many records of a size a partition holds; no case has more than the headline."""
        if (size, codec) == HEADLINE:
            return self.records
        return min(self.records, self.other_records if size <= HEADLINE[0] else self.large_records)

    def document(self) -> dict[str, Any]:
        """As it stands in the JSON output."""
        return asdict(self)


def parse(arguments: Sequence[str] | None = None) -> tuple[Options, Path | None]:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benches.end_to_end", description="Times comparisons end to end.")
    partition = "records in each of the 3 partitions"
    parser.add_argument(
        "--records", type=positive, default=10_000_000, help=f"{partition}: 100 B, no codec, and at most"
    )
    parser.add_argument("--other-records", type=positive, default=4_000_000, help=f"{partition}: 100 B, other codecs")
    parser.add_argument("--large-records", type=positive, default=1_000_000, help=f"{partition}: above 100 B")
    parser.add_argument("--long-prefix", type=positive, default=2_000_000, help=f"{partition}: for franz-go")
    parser.add_argument("--prefix", type=positive, default=500_000, help=f"{partition}: for the slow rows")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument(
        "--sizes", default=(100, 1000), type=sizes, help="bytes of key and value together, as in 100,1000"
    )
    parser.add_argument("--codecs", default=DEFAULT_CODECS, type=names(CODECS), help=f"some of {','.join(CODECS)}")
    parser.add_argument("--rows", default=ROW_NAMES, type=names(ROW_NAMES), help=f"some of {','.join(ROW_NAMES)}")
    parser.add_argument("--json", type=Path, help="write every sample to this file, after every round")
    found = vars(parser.parse_args(arguments))
    output: Path | None = found.pop("json")
    return Options(**found), output


def positive(text: str) -> int:
    """A number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def sizes(text: str) -> tuple[int, ...]:
    """A comma separated list of sizes."""
    return tuple(positive(each) for each in text.split(","))


def names(allowed: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """A comma separated choice; what comes out is in the order of `allowed`."""

    def choice(text: str) -> tuple[str, ...]:
        asked = text.split(",")
        unknown = [each for each in asked if each not in allowed]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(allowed)}")
        return tuple(each for each in allowed if each in asked)

    return choice
