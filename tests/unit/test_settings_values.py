"""Quantities, allowances, partitions, fields: round trips, limits, and only UsageError on other text."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompare.errors import UsageError
from kcompare.model import SIDES, RecordField, Side
from kcompare.settings.allowances import Allowance, DurationBound, RecordBound, TimeBound, parse_allowance
from kcompare.settings.fields import parse_fields
from kcompare.settings.partitions import format_partitions, parse_partitions
from kcompare.settings.quantities import (
    MAX_DURATION_MS,
    MAX_SIZE_BYTES,
    format_duration,
    format_size,
    format_time,
    parse_duration_ms,
    parse_size_bytes,
    parse_time_ms,
)

DURATION_MS = st.integers(0, MAX_DURATION_MS)
TIME_MS = st.integers(0, 253_402_300_799_999)
BOUND = st.one_of(
    st.none(),
    st.integers(0, 10**18 - 1).map(RecordBound),
    DURATION_MS.map(DurationBound),
    TIME_MS.map(TimeBound),
)
ALLOWANCE = st.builds(Allowance, st.sampled_from([(Side.LEFT,), (Side.RIGHT,), SIDES]), BOUND)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("30s", 30_000),
        ("5m", 300_000),
        ("250ms", 250),
        ("1.5s", 1_500),
        ("0.3s", 300),
        ("2h", 7_200_000),
        ("0s", 0),
    ],
)
def test_a_duration_is_read(text: str, milliseconds: int) -> None:
    assert parse_duration_ms(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MiB", 64 << 20),
        ("200MB", 200_000_000),
        ("1.5KiB", 1_536),
        ("7B", 7),
        ("1125899.906842623GB", 1_125_899_906_842_623),
        ("2GiB", 2 << 30),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("@1970-01-01T00:00:00Z", 0),
        ("@2026-11-01T00:00:00Z", 1_793_491_200_000),
        ("@2021-06-23T14:24:34.5Z", 1_624_458_274_500),
    ],
)
def test_a_time_is_read(text: str, time_ms: int) -> None:
    assert parse_time_ms(text) == time_ms


@given(DURATION_MS)
def test_durations_come_back(milliseconds: int) -> None:
    assert parse_duration_ms(format_duration(milliseconds)) == milliseconds


@given(st.integers(0, MAX_SIZE_BYTES))
def test_sizes_come_back(size: int) -> None:
    assert parse_size_bytes(format_size(size)) == size


@given(TIME_MS)
def test_times_come_back(time_ms: int) -> None:
    assert parse_time_ms(format_time(time_ms)) == time_ms


@given(ALLOWANCE)
def test_allowances_come_back(allowance: Allowance) -> None:
    assert parse_allowance(allowance.text) == allowance


@given(st.sets(st.integers(0, (1 << 31) - 1), min_size=1))
def test_partitions_come_back(partitions: set[int]) -> None:
    chosen = tuple(sorted(partitions))
    assert parse_partitions(format_partitions(chosen)) == chosen


@given(st.sets(st.sampled_from(RecordField), min_size=1))
def test_fields_come_back_in_the_order_of_the_model(fields: set[RecordField]) -> None:
    assert parse_fields(",".join(fields)) == tuple(field for field in RecordField if field in fields)


def test_auto_fields_are_left_to_the_engine() -> None:
    assert parse_fields("auto") is None


def test_an_allowance_covers_its_sides() -> None:
    assert parse_allowance("right:30s") == Allowance((Side.RIGHT,), DurationBound(30_000))
    assert [parse_allowance("both").covers(side) for side in SIDES] == [True, True]
    assert [parse_allowance("left:5").covers(side) for side in SIDES] == [True, False]


def test_partitions_are_sorted_and_counted_once() -> None:
    assert parse_partitions("3-5,0,4") == (0, 3, 4, 5)


@pytest.mark.parametrize(
    ("parse", "text", "says"),
    [
        (parse_duration_ms, "15", "has no unit"),
        (parse_duration_ms, "", "is no number"),
        (parse_duration_ms, "-1s", "is no number"),
        (parse_duration_ms, "1e3s", "is no number"),
        (parse_duration_ms, "٣s", "is no number"),
        (parse_duration_ms, "30S", "unknown unit"),
        (parse_duration_ms, "0.1ms", "not a whole number of ms"),
        (parse_duration_ms, "4000d", "over ten years"),
        (parse_duration_ms, "9" * 400 + "s", "is no number"),
        (parse_size_bytes, "64", "has no unit"),
        (parse_size_bytes, "64mib", "unknown unit"),
        (parse_size_bytes, "0.5B", "not a whole number of B"),
        (parse_size_bytes, "2000000TiB", "over 1 PiB"),
        (parse_time_ms, "2026-11-01T00:00:00Z", "is no UTC time"),
        (parse_time_ms, "@2026-11-01T00:00:00", "is no UTC time"),
        (parse_time_ms, "@2026-13-01T00:00:00Z", "is no UTC time"),
        (parse_time_ms, "@2026-11-01T00:00:60Z", "is no UTC time"),
        (parse_time_ms, "@0000-01-01T00:00:00Z", "is no UTC time"),
        (parse_time_ms, "@1969-12-31T23:59:59Z", "before 1970"),
        (parse_allowance, "", "names the side ''"),
        (parse_allowance, "source", "names the side 'source'"),
        (parse_allowance, "right:", "no bound behind its ':'"),
        (parse_allowance, "right:@soon", "no bound behind its ':'"),
        (parse_partitions, "", "hold '', which is no number"),
        (parse_partitions, "1,,2", "hold '', which is no number"),
        (parse_partitions, "5-3", "ends before it starts"),
        (parse_partitions, "0-2147483647", "no topic can have"),
        (parse_partitions, "2147483648", "no topic can have"),
        (parse_fields, "key,size", "hold 'size'"),
        (parse_fields, "auto,key", "hold 'auto'"),
    ],
)
def test_a_refusal_names_the_value(parse: Callable[[str], object], text: str, says: str) -> None:
    with pytest.raises(UsageError, match=r"write|name a later one") as caught:
        parse(text)
    assert says in str(caught.value)


ANY_TEXT = st.one_of(st.text(), st.text("0123456789.smhdkKMiB@-:TZrightlefboth,\u0663\udc80\n"))


@pytest.mark.parametrize(
    "parse",
    [parse_duration_ms, parse_size_bytes, parse_time_ms, parse_allowance, parse_partitions, parse_fields],
)
@given(text=ANY_TEXT)
def test_no_text_raises_anything_else(parse: Callable[[str], object], text: str) -> None:
    with suppress(UsageError):
        parse(text)
