"""The tables of the benches cannot lie: what is wrong or missing is never a figure that passes."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace

import pytest
from benches import answers, instructions, measure, options, payload, render
from benches.summary import Case, Sample, case_from, ratio, spread, summarize
from benches.targets import RSS_LIMIT_BYTES, TARGETS, verdicts

MIB = 1 << 20


def sample(row: str, rate: float, *, number: int = 1, complaint: str = "", rss: int = 60 * MIB) -> Sample:
    """A row that read 600,000,006 records in a second of start-up and what its rate makes of the rest."""
    return Sample(
        row=row,
        round=number,
        records=600_000_006,
        startup_records=6,
        wall_seconds=1 + 6e8 / rate,
        startup_seconds=1,
        cpu_seconds=2,
        peak_rss_bytes=rss,
        complaint=complaint,
    )


def case(*samples: Sample, size: int = 100, codec: str = "none", **unavailable: str) -> Case:
    return Case(
        size, codec, 1_000_001, 700_000_000, samples, {key.replace("_", "-"): v for key, v in unavailable.items()}
    )


def target(of: Case, name: str) -> tuple[bool, str, str]:
    (found,) = [each for each in verdicts(of, options.ROW_NAMES) if each.target == name]
    return found.passed, found.measured, found.why_not


def test_a_rate_is_about_the_time_behind_the_start_up() -> None:
    one = sample("kcompare", 2e6)
    assert one.records_per_second == pytest.approx(2e6)
    # The same wall time with a longer start-up is a higher rate; no time at all is none.
    assert replace(one, startup_seconds=151).records_per_second == pytest.approx(4e6)
    assert replace(one, startup_seconds=one.wall_seconds).records_per_second == 0
    assert replace(one, startup_seconds=999).records_per_second == 0


def test_a_spread_is_median_and_ends() -> None:
    found = spread([5.0, 1.0, 2.0])
    assert (found.median, found.low, found.high) == (2.0, 1.0, 5.0)


def test_ratios_are_of_the_same_round() -> None:
    # Each round is twice as fast as the other row in it; medians over all rounds would say something else.
    rates = [(4e6, 2e6), (40e6, 20e6), (6e6, 3e6)]
    samples = [
        sample(row, rate, number=i) for i, pair in enumerate(rates) for row, rate in zip("ab", pair, strict=True)
    ]
    found = ratio(case(*samples), "a", "b")
    assert found is not None
    assert (found.low, found.median, found.high) == pytest.approx((2, 2, 2))
    # The order in which samples come does not matter, rounds do.
    assert ratio(case(*reversed(samples)), "a", "b") == found


@pytest.mark.parametrize(
    "spoiled",
    [
        [sample("a", 4e6), sample("a", 4e6, number=2), sample("b", 2e6)],
        [sample("a", 4e6)],
        [sample("a", 4e6), sample("b", 2e6, complaint="counts are 1, not 2")],
        [sample("a", 4e6, complaint="md5"), sample("b", 2e6)],
        [sample("a", 4e6), replace(sample("b", 2e6), startup_seconds=999)],
    ],
    ids=["a round is missing", "the base is missing", "the base is wrong", "the row is wrong", "no rate"],
)
def test_no_ratio_without_two_right_rows(spoiled: list[Sample]) -> None:
    assert ratio(case(*spoiled), "a", "b") is None


def test_one_wrong_round_makes_a_row_wrong() -> None:
    rows = summarize(case(sample("kcat", 1e6), sample("kcat", 1e6, number=2, complaint="digests differ")))
    assert not rows["kcat"].correct
    assert rows["kcat"].complaints == ("digests differ",)


def test_a_target_is_met_by_its_median() -> None:
    rates = [(40e6, 2e6), (41e6, 2e6), (2e6, 2e6)]
    good = case(
        *(sample(n, r, number=i) for i, p in enumerate(rates) for n, r in zip(("kcompare", "consumer"), p, strict=True))
    )
    assert target(good, "kcompare / consumer") == (True, "20.00 (1.00 - 20.50)", "")
    # The best round alone would do, the median does not.
    slower = [
        replace(each, wall_seconds=each.wall_seconds + 0.1) if each.row == "kcompare" else each for each in good.samples
    ]
    passed, measured, _ = target(case(*slower), "kcompare / consumer")
    assert (passed, measured) == (False, "19.87 (1.00 - 20.36)")


@pytest.mark.parametrize("wrong", ["kcompare", "consumer"])
def test_a_wrong_row_never_passes_a_target(wrong: str) -> None:
    rates = {"kcompare": 90e6, "consumer": 1e6}
    samples = [sample(row, rate, complaint="boom" if row == wrong else "") for row, rate in rates.items()]
    assert target(case(*samples), "kcompare / consumer") == (False, "", f"{wrong}: boom")


def test_a_missing_row_never_passes_a_target() -> None:
    fast = sample("kcompare", 90e6)
    assert target(case(fast), "kcompare / consumer") == (False, "", "consumer did not run")
    passed, _, why_not = target(case(fast, franz_go="no go"), "kcompare / franz-go")
    assert (passed, why_not) == (False, "franz-go: not available: no go")


def test_a_run_that_is_too_short_never_passes_a_speed_target() -> None:
    pair = [sample("kcompare", 90e6), sample("consumer", 1e6)]
    assert target(case(*pair), "kcompare / consumer")[0] is True
    for place, row in enumerate(("kcompare", "consumer")):
        short = list(pair)
        short[place] = replace(short[place], startup_seconds=short[place].wall_seconds - 0.9)
        passed, measured, why_not = target(case(*short), "kcompare / consumer")
        assert (passed, measured) == (False, "")
        assert why_not.startswith(f"{row}: 0.9 s behind its start-up are too short")


def test_memory_is_the_largest_of_all_rounds() -> None:
    name = "peak memory of kcompare"
    small, limit, large = (sample("kcompare", 9e6, number=i, rss=RSS_LIMIT_BYTES + i) for i in (-1, 0, 1))
    assert target(case(small, limit), name)[0] is True
    assert target(case(small, large), name)[0] is False
    assert target(case(replace(small, complaint="boom")), name) == (False, "", "kcompare: boom")
    assert target(case(replace(small, peak_rss_bytes=0)), name)[0] is False


def test_targets_are_about_uncompressed_records_of_their_size() -> None:
    def names(of: Case) -> set[str]:
        return {f"{each.target} {each.wanted}" for each in verdicts(of, options.ROW_NAMES)}

    assert {"kcompare / consumer >= 20", "kcompare / ceiling >= 0.6", "kcompare / franz-go >= 5"} < names(case())
    assert {"kcompare / consumer >= 8", "kcompare / ceiling >= 0.7"} < names(case(size=1000))
    assert "kcompare / console-consumer >= 80" in names(case())
    assert "kcompare-consumer / consume-alone >= 0.8" in names(case()) & names(case(size=1000))
    assert names(case(codec="zstd")) == {"peak memory of kcompare <= 150 MB"}
    assert verdicts(case(), ["kcat"]) == []
    assert {each for target in TARGETS for each in (target.row, target.base)} <= set(options.ROW_NAMES)


def test_tables_show_what_is_wrong() -> None:
    of = case(
        sample("kcompare", 30e6), sample("consumer", 1e6), sample("kcat", 1e6, complaint="a | b"), franz_go="no go"
    )
    text = render.markdown(render.row_table(of))
    lines = {line.split("|")[1].strip(): line for line in text.splitlines()}
    assert lines["consumer"].endswith(
        "| 1.00 (1.00 - 1.00) | 30.00 (30.00 - 30.00) | 1.00 (1.00 - 1.00) | 2.0 | 63 | yes |"
    )
    # No ratio stands beside a wrong answer, and what it says cannot make further columns.
    assert lines["kcat"].endswith("|  | 1.00 (1.00 - 1.00) | 2.0 | 63 | NO: a \\| b |")
    assert lines["franz-go"].endswith("| NO: not available: no go |")
    assert "NO: not available: no go" in render.terminal(render.row_table(of))
    targets = render.terminal(render.target_table([of], options.ROW_NAMES)).splitlines()
    assert [line.split()[-1] for line in targets if "kcompare / consumer" in line] == ["yes"]
    assert [line for line in targets if "kcompare / franz-go" in line and "NO: franz-go: not available" in line]


def test_a_result_that_was_read_back_says_the_same() -> None:
    of = case(sample("kcompare", 30e6), sample("consumer", 1e6, number=1), kcat="absent")
    again = case_from(json.loads(json.dumps(of.document())))
    assert render.row_table(again) == render.row_table(of)
    assert verdicts(again, options.ROW_NAMES) == verdicts(of, options.ROW_NAMES)


def ran(stdout: str, exit_code: int = 0, stderr: str = "") -> measure.Run:
    return measure.Run(exit_code, stdout, stderr, 1.0, 1.0, MIB)


EXPECTED = payload.Expected(size=40, records=3)


def test_a_reader_is_held_against_what_was_written() -> None:
    check = answers.reader(counts=True, form=payload.KEY_VALUE)
    right = {"counts": [[3] * 3] * 2, "digests": [EXPECTED.digests(payload.KEY_VALUE)] * 2}
    assert check(ran(json.dumps(right)), EXPECTED) == ""
    # Two sides that agree on something else are wrong.
    for spoiled in (
        right | {"counts": [[3, 3, 2]] * 2},
        right | {"counts": [[3] * 3]},
        right | {"digests": [EXPECTED.digests(payload.VALUE_LINES)] * 2},
        {"counts": right["counts"]},
        {"digests": right["digests"]},
    ):
        assert check(ran(json.dumps(spoiled)), EXPECTED) != ""
    assert check(ran(json.dumps(right), 1, "\nboom\n\n"), EXPECTED) == "exit code 1: boom"
    assert "no JSON object" in check(ran("[]"), EXPECTED)
    with pytest.raises(ValueError, match="no answer"):
        answers.reader(counts=False, form=None)


def test_expected_digests_are_of_the_records_themselves() -> None:
    load = payload.text_load(size=40, records=3, batch_records=2, codec="zstd")
    ((_, keys, values),) = load.chunks(1)
    records = [(bytes(key), bytes(value)) for key, value in zip(keys, values, strict=True)]
    assert all(len(key) == 16 and len(value) == 24 and key.isalnum() for key, value in records)
    assert len(set(records)) == 3
    text = b"".join(key + b"\t" + value + b"\n" for key, value in records)
    assert b"X" not in text
    assert EXPECTED.digests(payload.KEY_VALUE_LINES)[1] == hashlib.md5(text, usedforsecurity=False).hexdigest()
    assert len({*EXPECTED.digests(payload.KEY_VALUE)}) == 3
    # A prefix holds the first of the same records.
    longer = payload.text_load(size=40, records=70_000, batch_records=2, codec="none")
    assert (next(longer.chunks(1))[1][:3] == keys).all()


def report(**changes: object) -> str:
    partitions = [{"partition": number, "compared_records": 3} for number in range(3)]
    sides = {"left": {"data_path": "native"}, "right": {"data_path": "native"}, "errors": []}
    return json.dumps({"verdict": "EQUAL", "topics": [{"partitions": partitions}], **sides, **changes})


def test_a_comparison_is_right_when_it_compared_everything_on_the_path_it_stands_for() -> None:
    check = answers.comparison("native")
    assert check(ran(report()), EXPECTED) == ""
    assert "compared records" in check(ran(report(topics=[])), EXPECTED)
    assert "DIFFERENT" in check(ran(report(verdict="DIFFERENT")), EXPECTED)
    assert "data paths" in check(ran(report(right={"data_path": "consumer"})), EXPECTED)
    assert "data paths" in answers.comparison("consumer")(ran(report()), EXPECTED)
    assert check(ran(report(), exit_code=1), EXPECTED).startswith("exit code 1")


def test_the_perf_test_has_to_read_every_byte_of_both_sides() -> None:
    line = f"2026-11-24 00:00:00:000, 2026-11-24 00:00:01:000, {360 / MIB:.4f}, 1.0, 9, 9.0, 1, 1, 1.0, 1.0\n"
    assert answers.perf_test(ran(line * 2), EXPECTED) == ""
    assert answers.perf_test(ran(line), EXPECTED) != ""
    assert answers.perf_test(ran(line + line.replace(", 9, ", ", 8, ")), EXPECTED) != ""
    assert answers.perf_test(ran("WARNING\n"), EXPECTED) != ""


def test_options_cut_a_run_short_and_refuse_what_they_do_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    everything, output = options.parse([])
    assert (everything.rows, everything.sizes, everything.codecs) == (
        options.ROW_NAMES,
        (100, 1000),
        ("none", "lz4", "zstd"),
    )
    assert output is None
    assert everything.records_of(100, "none") == 10_000_000
    assert everything.records_of(1000, "none") == 1_000_000
    short, _ = options.parse(["--records", "2000", "--rows", "kcat,kcompare", "--codecs", "zstd"])
    assert (short.rows, short.codecs) == (("kcompare", "kcat"), ("zstd",))
    assert {short.records_of(size, codec) for size in (100, 1000) for codec in ("none", "zstd")} == {2000}
    for wrong in (["--rows", "kcart"], ["--records", "0"]):
        with pytest.raises(SystemExit):
            options.parse(wrong)
    assert "'kcart' is none of ceiling, kcompare" in capsys.readouterr().err


def test_a_program_is_measured_with_its_children() -> None:
    grow = "import time; held = bytearray(60 << 20); time.sleep(0.6)"
    both = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grow!r}]); " + grow
    twins = f"import subprocess, sys; held = bytearray(60 << 20); subprocess.run([sys.executable, '-c', {grow!r}])"
    small, one, two = (measure.run_measured([sys.executable, "-c", code]) for code in ("pass", both, twins))
    assert small.exit_code == 0
    assert small.peak_rss_bytes < 40 * MIB
    assert one.wall_seconds > 1.2
    assert one.peak_rss_bytes > 60 * MIB
    if sys.platform == "linux":
        # The two hold their memory at the same time.
        assert two.peak_rss_bytes > 120 * MIB


def test_instructions_are_the_difference_between_two_runs() -> None:
    assert instructions.collected(0, "==7== Events    : Ir\n==7== Collected : 1234567\n") == 1234567
    assert instructions.per_record((5_000_000, 9_000_000)) == 200
    with pytest.raises(RuntimeError, match="exit code 1"):
        instructions.collected(1, "==7== Collected : 1234567\n")
    with pytest.raises(RuntimeError, match="callgrind ended"):
        instructions.collected(0, "")
