"""The options that commands share, with their help, and the values behind them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from kcompare.cli.exports import Format
from kcompare.errors import UsageError
from kcompare.model import DataPath, IsolationLevel, Mode
from kcompare.settings.quantities import parse_duration_ms, parse_size_bytes

if TYPE_CHECKING:
    from kcompare.settings.topics import TopicSelection

Value = TypeVar("Value")

Left = Annotated[
    str,
    typer.Argument(
        metavar="LEFT",
        help="The left view: kafka://HOST:PORT[,HOST:PORT...]/TOPIC or logdir:PATH/TOPIC[,PATH/TOPIC...], "
        "or without TOPIC for --topics.",
    ),
]
Right = Annotated[str, typer.Argument(metavar="RIGHT", help="The right view, likewise.")]
Views = Annotated[
    list[str],
    typer.Argument(
        metavar="VIEW [VIEW]",
        help="One or two views: kafka://HOST:PORT[,HOST:PORT...]/TOPIC or logdir:PATH/TOPIC[,PATH/TOPIC...].",
    ),
]
CheckedView = Annotated[
    str,
    typer.Argument(
        metavar="VIEW",
        help="kafka://HOST:PORT[,HOST:PORT...]/TOPIC or logdir:PATH/TOPIC[,PATH/TOPIC...], "
        "or without TOPIC for --topics.",
    ),
]
Fields = Annotated[
    str,
    typer.Option(
        metavar="auto|FIELD,...",
        help="What must agree: some of key, value, headers, timestamp, offset. "
        "auto is the first four, without timestamp where brokers set it.",
    ),
]
ModeChoice = Annotated[
    Mode,
    typer.Option(help="What must hold between the logs: the same sequence, the same latest values, or the same set."),
]
Isolation = Annotated[IsolationLevel, typer.Option(help="Whether records of aborted transactions are records.")]
LeftIsolation = Annotated[
    IsolationLevel | None, typer.Option(help="--isolation of the left side alone.", show_default=False)
]
RightIsolation = Annotated[
    IsolationLevel | None, typer.Option(help="--isolation of the right side alone.", show_default=False)
]
Settle = Annotated[
    str, typer.Option(metavar="DURATION", help="How long open transactions may take to end, such as 15s.")
]
AllowHead = Annotated[
    str | None,
    typer.Option(
        metavar="SIDE[:BOUND]",
        help="Let a side (left, right or both) hold more at its start: at most BOUND records, "
        "a duration such as 30s, or up to @TIME.",
    ),
]
AllowTail = Annotated[
    str | None,
    typer.Option(
        metavar="SIDE[:BOUND]",
        help="Let a side hold more at its end, such as right:30s for a mirror that went on.",
    ),
]
AllowGaps = Annotated[bool, typer.Option("--allow-gaps", help="Let offsets be missing without a known cause.")]
AllowEmpty = Annotated[bool, typer.Option("--allow-empty", help="Let logs without a record be EQUAL.")]
AllowSame = Annotated[bool, typer.Option("--allow-same", help="Let both views be the very same topic.")]
Partitions = Annotated[str | None, typer.Option(metavar="LIST", help="Only these partitions, such as 0,3-5.")]
Topics = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Where both views end in '/': compare the left topics whose whole name matches.",
    ),
]
CheckedTopics = Annotated[
    str | None,
    typer.Option("--topics", metavar="REGEX", help="Where the view ends in '/': the topics whose whole name matches."),
]
ExpectedTopics = Annotated[
    int | None, typer.Option("--expect-topics", metavar="N", min=1, help="Refuse to begin unless so many are chosen.")
]
AllowNothing = Annotated[bool, typer.Option("--allow-empty", help="Let a topic without a record be SOUND.")]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="REGEX=REPLACEMENT",
        help=r"From left names to right names, such as '(.*)=src.\1'. Repeatable; the first one that matches counts.",
    ),
]
ExpectTopics = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Refuse to begin unless there are so many pairs of topics.")
]
LeftRange = Annotated[
    str | None,
    typer.Option(
        metavar="START:STOP|-N",
        help="The part of every left partition to compare: offsets or times (@2026-11-01T00:00:00Z), either may be "
        "empty; -N for the last N offsets, not all of which need be records.",
    ),
]
RightRange = Annotated[
    str | None, typer.Option(metavar="START:STOP|-N", help="The part of every right partition, likewise.")
]
RateLimit = Annotated[
    str | None,
    typer.Option(metavar="SIZE/s", help="Read no more than this from both sides together, such as 200MB/s."),
]
Workers = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=1024, help="Slices read at once; chosen by the machine where not given."),
]
Budget = Annotated[str, typer.Option(metavar="SIZE", help="Memory for all bytes in flight and decoded, such as 64MiB.")]
MaxFindings = Annotated[
    int,
    typer.Option(metavar="N", min=1, max=1_000_000, help="Findings listed for each partition; the verdict uses all."),
]
LeftProperties = Annotated[
    list[str] | None,
    typer.Option(
        "-L",
        metavar="KEY=VALUE",
        help="A client property of the left (or first) side by librdkafka's name; "
        "a secret as {env=NAME} or {file=PATH}. Repeatable.",
    ),
]
RightProperties = Annotated[
    list[str] | None,
    typer.Option("-R", metavar="KEY=VALUE", help="The same for the right (or second) side."),
]
LeftConfig = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="A file of client properties of the left (or first) side; -L wins over it."),
]
RightConfig = Annotated[
    str | None, typer.Option(metavar="FILE", help="The same for the right (or second) side, and -R.")
]
DataPathChoice = Annotated[
    DataPath | None,
    typer.Option(
        "--data-path",
        help="What reads the clusters: kcompare's own client, or librdkafka; chosen for each side where not given.",
        show_default=False,
    ),
]
StallTimeout = Annotated[
    str, typer.Option(metavar="DURATION", help="Give a range up after so long without any progress.")
]
RequestTimeout = Annotated[str, typer.Option(metavar="DURATION", help="Give one request to a broker up after so long.")]
OutputFormat = Annotated[Format, typer.Option("--output", help="What stdout gets.")]
Export = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FORMAT=FILE",
        help="Write the report to a file as well: text=FILE, json=FILE or jsonl=FILE. Repeatable.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="As text, print the verdict's line only; no progress.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Draw no progress on stderr.")]
Count = Annotated[
    int,
    typer.Option("-n", "--count", metavar="N", min=1, max=10_000, help="How many last records of each partition."),
]
ShowValues = Annotated[bool, typer.Option("--show-values", help="Show keys and values, escaped, too.")]


def value_of(option: str, text: str, parse: Callable[[str], Value]) -> Value:
    """Reads the text of an option; a mistake in it names the option.

    Raises:
        UsageError: what ``parse`` says, with the option in front.
    """
    try:
        return parse(text)
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from error


def optional_value_of(option: str, text: str | None, parse: Callable[[str], Value]) -> Value | None:
    """The same for an option that may not be there."""
    return None if text is None else value_of(option, text, parse)


def seconds_of(option: str, text: str, *, zero: bool = False) -> float:
    """A duration in seconds.

    Raises:
        UsageError: no duration, or zero where that would mean to give up before beginning.
    """
    milliseconds = value_of(option, text, parse_duration_ms)
    if not milliseconds and not zero:
        raise UsageError(f"{option}: a duration of 0 gives up before it begins; write one such as 30s")
    return milliseconds / 1000


def bytes_of(option: str, text: str) -> int:
    """A size in bytes.

    Raises:
        UsageError: no size, or zero.
    """
    size = value_of(option, text, parse_size_bytes)
    if not size:
        raise UsageError(f"{option}: a size of 0 holds nothing; write one such as 64MiB")
    return size


def selection_of(topics: str | None, maps: list[str] | None, expected: int | None) -> "TopicSelection | None":
    """The choice of topics that ``--topics``, ``--map`` and ``--expect-topics`` make; None without any of them.

    Raises:
        UsageError: a pattern that is none, or a map that is none.
    """
    if topics is None and not maps and expected is None:
        return None
    # Patterns are matched by the extension, which has to be loaded for them.
    from kcompare.settings.topics import TopicPattern, TopicSelection, parse_map

    return TopicSelection(
        optional_value_of("--topics", topics, TopicPattern),
        tuple(value_of("--map", text, parse_map) for text in maps or ()),
        expected,
    )
