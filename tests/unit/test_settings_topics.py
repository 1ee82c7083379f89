"""Choices of topics: patterns and maps, what they pair, and what cannot be meant."""

import time

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompare.engine.pairs import MAX_GUESSES, pair_names
from kcompare.errors import UsageError
from kcompare.settings.quantities import parse_rate_bytes
from kcompare.settings.ranges import LogRange, OffsetEdge, TimeEdge, parse_range
from kcompare.settings.topic_names import is_legal_topic
from kcompare.settings.topics import MAX_PATTERN_LENGTH, TopicPattern, TopicSelection, parse_map


def selection(topics: str | None, *maps: str) -> TopicSelection:
    return TopicSelection(None if topics is None else TopicPattern(topics), tuple(parse_map(text) for text in maps))


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("blogs", "blogs", True),
        ("blogs", "my-blogs", False),
        ("blogs", "blogs2", False),
        ("a|ab", "ab", True),
        ("a.*", "ab.c-d_e", True),
        (r"a\.b", "axb", False),
        (r"[a-c]+\d{2}", "abc42", True),
        ("(?i)BLOGS", "blogs", True),
    ],
)
def test_a_pattern_matches_whole_names(pattern: str, name: str, *, matches: bool) -> None:
    assert TopicPattern(pattern).matches(name) is matches


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("", "a pattern is empty"),
        ("(", "pattern '(' is no regular expression (unclosed group)"),
        ("a)|(b", "pattern 'a)|(b' is no regular expression (unopened group)"),
        (r"(a)\1", "backreferences are not supported"),
        ("(?=a)", "look-around"),
        ("a{9999}{9999}", "is no regular expression"),
        ("a" * (MAX_PATTERN_LENGTH + 1), "over the limit of 1000"),
    ],
)
def test_a_pattern_that_is_none_is_named(pattern: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        TopicPattern(pattern)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(.*.*.*.*.*)*b", "(a?){60}a{60}", "((a{0,9}){0,9}){0,9}b"])
def test_no_pattern_hangs(pattern: str) -> None:
    """Each of these takes a backtracking matcher longer than the universe is old."""
    compiled = TopicPattern(pattern)
    started = time.process_time()
    for _ in range(20):
        compiled.matches("a" * 249)
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("blogs=my-source-cluster.blogs", "blogs", "my-source-cluster.blogs"),
        ("blogs=my-source-cluster.blogs", "blogs2", None),
        (r"(.*)=src.\1", "a.b", "src.a.b"),
        (r".*=src.\0", "a.b", "src.a.b"),
        (r"src\.(.*)=\1", "src.a", "a"),
        (r"(a+)-(b+)=\2_\1", "aa-b", "b_aa"),
        (r"(a)?(b)=\1x\2", "b", "xb"),
    ],
)
def test_a_map_gives_right_names(text: str, left: str, right: str | None) -> None:
    assert parse_map(text).right_name(left) == right


@pytest.mark.parametrize("text", ["a", "=b", "a=", "a=b/c", r"a=\1", r"(a)=\2", r"a=\x", "a=b c", "(=b", "a=b\\"])
def test_a_map_that_is_none_is_named(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_map(text)
    assert repr(text.rpartition("=")[0] if text == "(=b" else text) in str(caught.value)


def test_the_first_map_that_matches_counts() -> None:
    chosen = selection(".*", "a=x", r"(.*)=src.\1")
    assert [chosen.right_name(name) for name in ("a", "b")] == ["x", "src.b"]


@pytest.mark.parametrize(
    ("chosen", "left", "right", "pairs"),
    [
        (selection("a|b"), ["a", "b", "c"], ["a"], [("a", "a"), ("b", "b")]),
        (selection("a|b"), ["a"], ["a", "b", "c"], [("a", "a"), ("b", "b")]),
        (selection(None, r"(.*)=src.\1"), ["a"], ["src.a", "src.b", "b"], [("a", "src.a"), ("b", "src.b")]),
        (selection("a", r"(.*)=src.\1"), ["a"], ["src.a", "src.b"], [("a", "src.a")]),
        (selection(None, "a=x"), ["a", "b"], ["b"], [("a", "x")]),
        (selection(None, "a=x", "c=y"), ["a"], ["x", "y"], [("a", "x"), ("c", "y")]),
        # The left side has the name, but another map takes it: the right one is not what any left name gives.
        (selection(".*", "a=x", r"(.*)=s.\1"), ["a"], ["x", "s.a"], [("a", "x")]),
        (selection(None, r"p\.(.*)=\1"), ["p.a"], ["a", "b"], [("p.a", "a"), ("p.b", "b")]),
        (selection(None, r"(\d+)-(.*)=\2.\1"), ["1-a"], ["a.1", "b.2"], [("1-a", "a.1")]),
        # Where the groups end in a right name is not told, so each way to cut it is tried.
        (selection(r".*\.a", r"(.*)\.(.*)=\2-\1"), ["q.a"], ["a-q", "a-x-y"], [("q.a", "a-q"), ("x-y.a", "a-x-y")]),
        (selection(None, r"(.*)\.(a|b)=\2-\1"), ["q.a"], ["a-q", "a-x-y"], [("q.a", "a-q"), ("x-y.a", "a-x-y")]),
        (selection(None, r"(.*)-(b.*)=\1\2"), ["a-b"], ["ab", "abab"], [("a-b", "ab"), ("aba-b", "abab")]),
        (selection(None, r"(.+)-(.+)=\1\1.\2"), ["a-b"], ["aa.b", "cdcd.b"], [("a-b", "aa.b"), ("cd-b", "cdcd.b")]),
        # A dot in a map stands for any character.
        (selection("aXb|q", "a.b=x"), ["q"], ["x", "q"], [("aXb", "x"), ("q", "q")]),
        (selection(None, r"a\.b=y", "a.b=x"), ["a.b"], ["x"], [("a-b", "x"), ("a.b", "y")]),
    ],
)
def test_pairs_are_what_the_rule_gives(
    chosen: TopicSelection, left: list[str], right: list[str], pairs: list[tuple[str, str]]
) -> None:
    assert pair_names(chosen, left, right).names == pairs


@pytest.mark.parametrize(
    ("chosen", "left", "searched"),
    [
        (selection(None, "a.*=x"), "a", False),
        (selection(None, r"(\d+)-(.*)=\2.\1"), "1-a", False),
        (selection(None, r"(a|ab)(.*)=\2"), "abc", False),
        (selection(".*", r"(.*)=src.\1", "a=x", r"p\.(.*)-(.*)=\2.\1"), "a", True),
    ],
)
def test_a_map_that_cannot_be_turned_around_is_noted(chosen: TopicSelection, left: str, *, searched: bool) -> None:
    assert pair_names(chosen, [left], ["b"]).searched is searched


def test_a_search_that_would_not_end_is_given_up_and_noted() -> None:
    """Every way to cut a long name into eight groups are more than a run can look at."""
    chosen = selection("left-.*|a", r"left-" + "(.*)" * 8 + "=" + "".join(rf"\{group}" for group in range(8, 0, -1)))
    began = time.monotonic()
    found = pair_names(chosen, ["a"], ["b" * 240, "c" * 240])
    assert time.monotonic() - began < 10
    # Any left name with these letters gives them; only one that no way to cut them gives takes the whole search.
    assert found.searched
    never = selection("left-x|a", r"left-" + "(.*)" * 8 + "=" + "".join(rf"\{group}" for group in range(8, 0, -1)))
    found = pair_names(never, ["a"], ["b" * 240, "c" * 240])
    assert not found.searched
    assert found.names == [("a", "a")]
    assert time.monotonic() - began < 20


def test_a_name_that_is_found_at_once_is_found_whatever_the_others_take() -> None:
    chosen = selection("z-.*|q", r"(.*)\.(.*)\.(.*)=\3\2\1", r"z-(.*)=\1")
    found = pair_names(chosen, ["q"], ["b" * 249, "short"])
    assert ("z-short", "short") in found.names
    assert MAX_GUESSES < 1_000_000


NAMES = st.text("ab.-", min_size=1, max_size=6)

MAPS = (
    r"(.*)=src.\1",
    r"a\.(.*)=\1",
    r"(.*)-b=\1.x",
    r"(.*)=\1\1",
    r"(.*)-(.*)=\1.\2",
    r"(.*)\.(.*)=\2-\1",
    r"(.*)\.(a|b)=\2-\1",
    r"(.*)-(.*)\.(.*)=\3\1\2\1",
    "a.b=x",
    r"a.(.*)=\1",
    "ab=x",
    r"(.*)-(.*)=\0",
)


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.filter_too_much])
@given(left=NAMES, topics=st.sampled_from([None, ".*a", ".*[ab]", "a.*"]), text=st.sampled_from(MAPS))
def test_what_only_the_right_side_has_is_found_or_the_run_says_that_it_was_not_sought(
    left: str, topics: str | None, text: str
) -> None:
    """What it finds need not be the name that was there, where several give the same."""
    chosen = selection(None if topics is None else f"{topics}|anchor", text, "anchor=other")
    right = chosen.right_name(left)
    hypothesis.assume(chosen.chooses(left) and is_legal_topic(left) and is_legal_topic(right) and right != "other")
    found = pair_names(chosen, ["anchor"], [right, "other"])
    assert found.searched
    (one,) = [name for name, target in found.names if target == right]
    assert chosen.right_name(one) == right
    assert chosen.chooses(one)


@given(left=st.sets(NAMES, min_size=1), right=st.sets(NAMES), text=st.sampled_from([r"(.*)=s.\1", r"(.*)=\1", "a=b"]))
def test_every_pair_follows_from_the_rule_and_no_left_topic_is_lost(left: set[str], right: set[str], text: str) -> None:
    chosen = selection("[ab].*", text)
    try:
        pairs = pair_names(chosen, sorted(left), sorted(right)).names
    except UsageError:
        return
    assert {name for name in left if chosen.chooses(name)} <= {one for one, _ in pairs}
    assert len({target for _, target in pairs}) == len(pairs)
    for one, target in pairs:
        assert chosen.chooses(one)
        assert chosen.right_name(one) == target
        assert one in left or target in right


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("5:10", LogRange(OffsetEdge(5), OffsetEdge(10))),
        ("5:", LogRange(OffsetEdge(5))),
        (":10", LogRange(None, OffsetEdge(10))),
        ("-10", LogRange(last=10)),
        ("@1970-01-01T00:00:01Z:", LogRange(TimeEdge(1000))),
        (":@1970-01-01T00:00:01.5Z", LogRange(None, TimeEdge(1500))),
        ("@1970-01-01T00:00:01Z:@1970-01-01T00:00:02Z", LogRange(TimeEdge(1000), TimeEdge(2000))),
        ("@1970-01-01T00:00:01Z:7", LogRange(TimeEdge(1000), OffsetEdge(7))),
        ("7:@1970-01-01T00:00:01Z", LogRange(OffsetEdge(7), TimeEdge(1000))),
    ],
)
def test_ranges_are_read_and_written(text: str, wanted: LogRange) -> None:
    assert parse_range(text) == wanted
    assert parse_range(wanted.text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", ":", "5", "-", "-0", "5:5", "6:5", "5:-3", "-5:", "@2026:5", "x:y", "1:2:3", "@1970-01-01T00:00:61Z:", "٣:",
     "@1970-01-01T00:00:02Z:@1970-01-01T00:00:01Z", "1" * 19 + ":"],
)  # fmt: skip
def test_a_range_that_is_none_is_named(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_range(text)
    assert ascii(text) in str(caught.value)


def test_rates() -> None:
    assert parse_rate_bytes("200MB/s") == 200_000_000
    for text in ("200MB", "200/s", "0B/s", "MB/s", "200MB/m", "200MB/s/s"):
        with pytest.raises(UsageError):
            parse_rate_bytes(text)
