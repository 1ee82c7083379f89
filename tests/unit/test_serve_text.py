"""What serve shows when it begins, and the addresses that it takes."""

import pytest

from kcompare.errors import UsageError
from kcompare.model import OffsetRange, PartitionBounds
from kcompare.report.serve_text import ENDS, MAX_LOST, MAX_PARTITIONS, render_served
from kcompare.serve_model import LostOffsets, Served, ServedPartition, ServedTopic
from kcompare.settings.listen import address_of, is_loopback, parse_listen


def served(*topics: ServedTopic, everywhere: bool = False, view: str = "logdir:/data/") -> Served:
    return Served(view, "127.0.0.1:9092", everywhere, "c", 1, topics)


def partition(number: int, end: int, reason: str = "end_of_segment", lost: int = 0) -> ServedPartition:
    ranges = (LostOffsets(OffsetRange(at, at + 1), "missing_segment", "no file") for at in range(lost))
    bounds = PartitionBounds(number, 0, end, end, end_reason=reason)
    return ServedPartition(bounds, tuple(ranges))


def test_a_line_for_each_topic_says_where_its_logs_end_and_why() -> None:
    blogs = ServedTopic("blogs", (partition(0, 5), partition(1, 7, "torn_tail"), partition(2, 9)))
    lines = render_served(served(blogs, ServedTopic("b", (partition(3, 1, "clean_shutdown"),)))).splitlines()
    assert lines[:2] == ["Serving logdir:/data/", "on 127.0.0.1:9092, read-only (cluster c, node 1)."]
    assert lines[3:5] == [
        "  blogs  3 partitions, ends: 0 at 5, 2 at 9 (whole); 1 at 7 (last batch cut off)",
        "  b      1 partition, ends: 3 at 1 (closed cleanly)",
    ]
    assert "  kcat -b 127.0.0.1:9092 -C -t blogs -o beginning -e" in lines


@pytest.mark.parametrize("reason", ENDS)
def test_every_reason_has_words(reason: str) -> None:
    assert f"0 at 5 ({ENDS[reason]})" in render_served(served(ServedTopic("t", (partition(0, 5, reason),))))


def test_long_lists_are_counted() -> None:
    many = ServedTopic("t", tuple(partition(number, 1, lost=number == 0 and 30) for number in range(100)))
    shown = render_served(served(many))
    assert f"{MAX_PARTITIONS - 1} at 1, {100 - MAX_PARTITIONS} more (whole)" in shown
    assert shown.count("missing_segment: no file") == MAX_LOST
    assert "  and 10 more ranges; kcompare check logdir:/data/ has all\n" in shown


def test_nothing_from_a_directory_reaches_the_terminal_as_it_is() -> None:
    shown = render_served(served(ServedTopic("t", (partition(0, 1),)), view="logdir:/\x1b[31m/", everywhere=True))
    assert "\x1b" not in shown
    assert "Everybody who can connect" in shown


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9092", ("127.0.0.1", 9092)),
        ("localhost:0", ("127.0.0.1", 0)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
        ("[::1]:9092", ("::1", 9092)),
    ],
)
def test_addresses_that_can_be_listened_on(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == address
    assert parse_listen(address_of(*address)) == address
    assert is_loopback(address[0]) == (address[0] != "0.0.0.0")


@pytest.mark.parametrize(
    "text",
    ["", "9092", ":9092", "host:9092", "::1:9092", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "[::1:1", "1:²"],
)
def test_addresses_that_cannot(text: str) -> None:
    with pytest.raises(UsageError, match=r"write (HOST:PORT|one), such as 127\.0\.0\.1:9092"):
        parse_listen(text)
