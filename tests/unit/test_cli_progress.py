"""Progress: what is drawn, that it is gone at the end, and that without a terminal there is none at all."""

import io
import re
import time
from collections.abc import Sequence
from typing import Any

import pytest

from kcompare.cli.progress import POLL_SECONDS, Progress, render
from tests.unit.cli_fakes import PartitionProgress, ProgressBoard, ProgressSnapshot


def lines_of(samples: Sequence[Any], columns: int = 200, lines: int = 24) -> list[str]:
    return render(samples, columns, lines)


def test_the_total_line_has_rates_share_and_time_to_go() -> None:
    samples = [
        ProgressSnapshot("reading", 1_000, 95_000, 1_000, 50_000, 1.0),
        ProgressSnapshot("reading", 21_000, 1_995_000, 21_000, 50_000, 3.0),
    ]
    assert lines_of(samples) == ["reading  21,000 records  2.0 MB  10,000 records/s  950.0 kB/s  42%  ETA 2.9 s"]


def test_the_first_sample_has_no_rate_and_an_empty_plan_no_share() -> None:
    assert lines_of([ProgressSnapshot("planning")]) == ["planning  0 records  0 B"]


def test_a_stalled_run_has_no_time_to_go() -> None:
    samples = [ProgressSnapshot("reading", 5, 5, 5, 10, age) for age in (1.0, 9.0)]
    assert lines_of(samples) == ["reading  5 records  5 B  0 records/s  0 B/s  50%"]


def test_eight_partition_sides_are_drawn_those_with_most_to_do_first() -> None:
    states = tuple(
        PartitionProgress("blogs", side, number, number * 10, 200) for number in range(6) for side in ("left", "right")
    )
    drawn = lines_of([ProgressSnapshot(planned_offsets=2_400, partitions=states)])
    assert len(drawn) == 10
    assert drawn[1] == "  left blogs-0   [....................]   0%  0 of 200 offsets"
    assert drawn[8] == "  right blogs-3  [###.................]  15%  30 of 200 offsets"
    assert drawn[9] == "  and 4 more partition sides"


def test_a_finished_partition_is_not_drawn() -> None:
    states = (PartitionProgress("t", "left", 0, 5, 5), PartitionProgress("t", "left", 1, 0, 0))
    assert len(lines_of([ProgressSnapshot(partitions=states)])) == 1


@pytest.mark.parametrize("lines", range(1, 14))
def test_never_more_lines_or_columns_than_there_are(lines: int) -> None:
    states = tuple(PartitionProgress("t" * 300, "left", number, 0, 9) for number in range(30))
    drawn = lines_of([ProgressSnapshot(partitions=states)], columns=40, lines=lines)
    assert len(drawn) <= lines
    assert all(len(line) <= 40 for line in drawn)


def test_a_topic_name_does_not_move_the_cursor() -> None:
    states = (PartitionProgress("\x1b[2J\nx", "left", 0, 0, 9),)
    assert "\x1b" not in "".join(lines_of([ProgressSnapshot(partitions=states)]))


def test_what_was_drawn_is_erased() -> None:
    stream = io.StringIO()
    with Progress(ProgressBoard().snapshot, stream):
        time.sleep(3 * POLL_SECONDS)
    written = stream.getvalue()
    frames = re.split(r"\r(?:\x1b\[\d+A)?\x1b\[J", written)
    assert len(frames) >= 3
    assert frames[1].startswith("reading  1,000 records")
    assert frames[1].count("\n") == 9
    # The last one goes up to the first line of the frame before and erases everything below.
    assert written.endswith("\r\x1b[9A\x1b[J")


def test_a_new_phase_begins_its_rates_anew() -> None:
    progress = Progress(ProgressBoard().snapshot, None)
    snapshots: list[Any] = [
        ProgressSnapshot("connecting", seconds=9.0),
        ProgressSnapshot("reading", 10, 10, 1, 4, seconds=1.0),
        ProgressSnapshot("reading", 20, 20, 2, 4, seconds=2.0),
    ]
    for snapshot in snapshots:
        progress._keep(snapshot)
    assert lines_of(progress._samples) == ["reading  20 records  20 B  10 records/s  10 B/s  50%  ETA 2.0 s"]


def test_a_quick_run_draws_nothing() -> None:
    stream = io.StringIO()
    with Progress(ProgressBoard().snapshot, stream):
        pass
    assert stream.getvalue() == ""


def test_without_a_stream_nothing_runs() -> None:
    def never() -> Any:
        raise AssertionError

    with Progress(never, None):
        time.sleep(2 * POLL_SECONDS)


def test_a_mistake_in_drawing_does_not_disturb_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> Any:
        raise ZeroDivisionError

    with Progress(broken, io.StringIO()):
        time.sleep(2 * POLL_SECONDS)
    assert capsys.readouterr().err == ""


def test_an_error_in_the_run_comes_through_and_the_end_is_quick() -> None:
    stream = io.StringIO()

    def run() -> float:
        with Progress(ProgressBoard().snapshot, stream):
            time.sleep(1.5 * POLL_SECONDS)
            error = KeyboardInterrupt(time.monotonic())
            raise error

    with pytest.raises(KeyboardInterrupt) as caught:
        run()
    assert time.monotonic() - caught.value.args[0] < 0.2
    assert stream.getvalue().endswith("\x1b[J")
