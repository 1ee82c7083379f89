"""The one screen, against golden files, and the promises it makes whatever is in a report."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompare.model import (
    DataPath,
    Effect,
    Finding,
    FindingKind,
    FirstDivergence,
    Reason,
    Report,
    Side,
    TailReport,
    TopicReport,
    Verdict,
)
from kcompare.report.layout import counted, listed, milliseconds, seconds, size, table, timestamp
from kcompare.report.tail_text import tail_text
from kcompare.report.text import report_line, report_text
from tests.unit.report_samples import (
    REPORTS,
    TAILS,
    coverage,
    different_changed,
    equal_with_tail,
    inconclusive,
    many_partitions,
    partition,
    report,
    tail_of_seed,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "report"


def compare_with_golden(name: str, text: str, suffix: str = "txt") -> None:
    """Compares with the file. KCOMPARE_WRITE_GOLDEN=1 writes it instead, for a look at the difference."""
    path = GOLDEN / f"{name}.{suffix}"
    if os.environ.get("KCOMPARE_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "make"), REPORTS.items())
def test_reports_read_as_their_golden_files(name: str, make: Callable[[], Report]) -> None:
    compare_with_golden(name, report_text(make()))


@pytest.mark.parametrize(("name", "make"), TAILS.items())
def test_tails_read_as_their_golden_files(name: str, make: Callable[[], TailReport]) -> None:
    compare_with_golden(name, tail_text(make()))


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_the_first_line_is_the_verdict(make: Callable[[], Report]) -> None:
    made = make()
    first = report_text(made).splitlines()[0]
    assert first.startswith(f"{made.verdict or 'NOT COMPARED'}: ")
    assert report_line(made) == first + "\n"


def test_colour_is_the_only_escape_and_only_where_asked_for() -> None:
    for made in (equal_with_tail(), different_changed(), inconclusive()):
        plain, painted = report_text(made), report_text(made, colour=True)
        assert "\x1b" not in plain
        assert painted.count("\x1b") == 2
        assert painted.startswith("\x1b[1;3")
        assert painted.split("m", 1)[1].replace("\x1b[0m", "", 1) == plain
    assert "\x1b" not in report_text(REPORTS["not_compared"](), colour=True)


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eEQUAL\r\nEQUAL: all is well\u2028\x9b31m\udcff"


def test_no_text_from_outside_reaches_the_terminal_raw() -> None:
    made = inconclusive()
    entry = replace(
        made.topics[0].partitions[0],
        findings=tuple(Finding(FindingKind.UNCLASSIFIED, effect, 0, records=1, detail=HOSTILE) for effect in Effect),
        warnings=(HOSTILE,),
    )
    assert made.options is not None
    hostile = replace(
        made,
        left=replace(
            made.left,
            view=HOSTILE,
            cluster_id=HOSTILE,
            topic_id=HOSTILE,
            data_path=DataPath.CONSUMER,
            data_path_reason=HOSTILE,
        ),
        options=replace(made.options, mode_reason=HOSTILE, fields_reason=HOSTILE, allow_tail=HOSTILE),
        topics=(TopicReport(HOSTILE, HOSTILE, Verdict.INCONCLUSIVE, (entry,)),) * 2,
        errors=tuple(replace(error, message=HOSTILE, code=HOSTILE, topic=HOSTILE) for error in made.errors),
        notes=(HOSTILE,),
        run=replace(made.run, version=HOSTILE, started=HOSTILE),
    )
    text = report_text(hostile)
    assert text.replace("\n", "").isprintable()
    assert not [line for line in text.splitlines() if line.startswith("EQUAL")]
    assert report_text(hostile, colour=True).count("\x1b") == 2


@given(st.binary(), st.binary(), st.text(st.characters(codec=None)))
def test_no_record_reaches_the_terminal_raw(key: bytes, value: bytes, view: str) -> None:
    made = tail_of_seed(values=True)
    entry = made.views[0].partitions[0]
    record = replace(entry.records[0], key=key, value=value)
    entry = replace(entry, records=(record,), error=None)
    text = tail_text(TailReport((replace(made.views[0], view=view, partitions=(entry,)),)))
    assert text.replace("\n", "").isprintable()
    assert len(text.splitlines()) == 11


def test_what_is_not_equal_never_makes_way_for_what_is() -> None:
    rows = report_text(many_partitions()).splitlines()
    assert [row for row in rows if row.lstrip().startswith("98  DIFFERENT")]
    assert [row for row in rows if row.lstrip().startswith("71  INCONCLUSIVE")]
    assert "  and 76 more partitions: 76 EQUAL; --output json lists every one" in rows


def test_a_list_that_is_cut_says_how_much_was_left_out() -> None:
    findings = [Finding(FindingKind.ONLY_LEFT, Effect.DIFFERENCE, 0, records=1, detail=str(n)) for n in range(30)]
    entry = partition(0, coverage(9), coverage(9), *findings, verdict=Verdict.DIFFERENT, compared=1)
    text = report_text(report(Verdict.DIFFERENT, 1, entry))
    assert "  and 10 more; --output json lists every one\n" in text


def test_uncovered_offsets_are_told_also_where_the_list_lacks_their_finding() -> None:
    entry = partition(4, coverage(100, uncovered=7), coverage(100), verdict=Verdict.INCONCLUSIVE, compared=93, total=1)
    text = report_text(report(Verdict.INCONCLUSIVE, 3, entry))
    assert "partition 4: uncovered, left 7 of 100 planned offsets" in text


def test_a_finding_about_one_side_does_not_hide_the_other() -> None:
    finding = Finding(FindingKind.UNVERIFIED, Effect.UNVERIFIED, 0, side=Side.LEFT, reason=Reason.STALLED)
    sides = coverage(100, uncovered=7), coverage(100, uncovered=9)
    entry = partition(0, *sides, finding, verdict=Verdict.INCONCLUSIVE, compared=91)
    text = report_text(report(Verdict.INCONCLUSIVE, 3, entry))
    assert "partition 0: unverified (stalled), left\n" in text
    assert "partition 0: uncovered, right 9 of 100 planned offsets" in text


@pytest.mark.parametrize(
    ("divergence", "says"),
    [
        (FirstDivergence(3, None), "where right ends and left goes on at offset 3"),
        (FirstDivergence(None, 9), "where left ends and right goes on at offset 9"),
        (FirstDivergence(3, 4), "at left offset 3 and right offset 4, where one side has a record that the"),
    ],
)
def test_the_sentence_says_where_the_logs_part(divergence: FirstDivergence, says: str) -> None:
    entry = partition(0, coverage(9), coverage(9), verdict=Verdict.DIFFERENT, divergence=divergence)
    assert says in report_line(report(Verdict.DIFFERENT, 1, entry))


def test_nothing_compared_is_said() -> None:
    entry = partition(0, coverage(0), coverage(0), verdict=Verdict.INCONCLUSIVE)
    assert "nothing was compared" in report_line(report(Verdict.INCONCLUSIVE, 3, entry))


def test_fields_that_only_some_partitions_compared_are_no_claim() -> None:
    made = equal_with_tail()
    entries = list(made.topics[0].partitions)
    entries[1] = replace(entries[1], fields=entries[1].fields[:2])
    made = replace(made, topics=(replace(made.topics[0], partitions=tuple(entries)),))
    assert "by at least key and value;" in report_line(made)
    assert "headers, timestamp and offset are not compared in partition 1\n" in report_text(made)


def test_numbers_as_people_read_them() -> None:
    assert [counted(1, "record"), counted(2_000, "record")] == ["1 record", "2,000 records"]
    assert [listed([]), listed(["a"]), listed(["a", "b", "c"])] == ["", "a", "a, b and c"]
    assert [size(999), size(1_000), size(1.5e9), size(2e18)] == ["999 B", "1.0 kB", "1.5 GB", "2000.0 PB"]
    assert [seconds(0.04), seconds(185), seconds(7_620)] == ["0.0 s", "3 min 05 s", "2 h 07 min"]
    assert [milliseconds(21_000), milliseconds(-1), milliseconds(60_000)] == [
        "21.000 s",
        "-0.001 s",
        "1 min 00 s",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "none"),
        (-1, "none"),
        (0, "1970-01-01T00:00:00.000Z"),
        (1_624_458_274_005, "2021-06-23T14:24:34.005Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "253402300800000 ms"),
        (-2, "-2 ms"),
        (2**63 - 1, "9223372036854775807 ms"),
    ],
)
def test_any_64_bits_are_a_timestamp(value: int | None, shown: str) -> None:
    assert timestamp(value) == shown


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_a_table_is_one_line_a_row(rows: list[tuple[str, str]]) -> None:
    assert len(table(("a", "b"), rows, left_aligned=(1,))) == len(rows) + 1


def test_what_read_the_sides_is_told_with_its_reason() -> None:
    made = inconclusive()
    assert "path " not in report_text(made)
    native = ("left", "right")
    both = replace(made, **{side: replace(getattr(made, side), data_path=DataPath.NATIVE) for side in native})
    assert "\npath     native\n" in report_text(both)
    mixed = replace(
        both, right=replace(made.right, data_path=DataPath.CONSUMER, data_path_reason="auto: SSL needs librdkafka")
    )
    assert "\npath     native on left, consumer (auto: SSL needs librdkafka) on right\n" in report_text(mixed)
    half = replace(made, right=mixed.right)
    assert "\npath     unknown on left, consumer (auto: SSL needs librdkafka) on right\n" in report_text(half)


def test_what_read_a_tail_is_told_with_what_is_wrong_with_it() -> None:
    made = tail_of_seed()
    (view,) = made.views
    shown = replace(view, data_path=DataPath.CONSUMER, data_path_reason="auto", notes=("tls_unverified",))
    told = tail_text(replace(made, views=(shown,)))
    assert told.startswith(f"{view.view}\npath: consumer (auto)\nnotes: tls_unverified\n")
