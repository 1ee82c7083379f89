"""The commands on real directories, as a user runs them: exit codes, outputs, and one sentence for what is none."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from kcompare.cli.main import run
from kcompare.report.schemas import load
from tests.support.log_directories import LogDirectory, flip
from tests.support.logs import log_of, numbered
from tests.unit.test_report_text import compare_with_golden

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VALIDATORS = {name: Draft202012Validator(load(name)) for name in ("report", "tail", "check")}
TOPIC_IDS = [bytes(15) + bytes([number]) for number in (1, 2)]


@pytest.fixture
def left(tmp_path: Path) -> LogDirectory:
    return LogDirectory(tmp_path / "left")


@pytest.fixture
def right(tmp_path: Path) -> LogDirectory:
    return LogDirectory(tmp_path / "right", node_id=2)


@pytest.fixture
def views(left: LogDirectory, right: LogDirectory) -> tuple[str, str]:
    """A topic of three partitions on both sides; the second of the right one goes on."""
    logs = [log_of(numbered(count)) for count in (300, 120, 80)]
    more = [logs[0], log_of(numbered(150)), logs[2]]
    return left.create(logs, id_=TOPIC_IDS[0]).text, right.create(more, id_=TOPIC_IDS[1]).text


def plain(text: str, tmp_path: Path) -> str:
    """A report without what every run has of its own."""
    text = text.replace(str(tmp_path), "/mnt")
    return re.sub(r"^run .*$", "run      ...", text, flags=re.MULTILINE)


def a_document(name: str, text: str, tmp_path: Path) -> str:
    """The document, which fits its schema, without what every run has of its own."""
    document = json.loads(text.replace(str(tmp_path), "/mnt"))
    VALIDATORS[name].validate(document)
    return json.dumps({**document, "run": None}, indent=1) + "\n"


def harm(left: LogDirectory) -> None:
    """A missing segment, a flipped bit, and a tail of zeros."""
    left.checkpoint("watermark", 80, partition=2)
    left.checkpoint("recovery", 50, partition=2)
    left.remove_segment(2)
    flip(left.segments("t", 1)[1], 200)
    last = left.segments("t", 2)[-1]
    last.write_bytes(last.read_bytes() + bytes(500))


def test_directories_that_are_harmed_read_as_their_golden_files(
    left: LogDirectory, views: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    allowed = "--allow-tail", "right"
    for code, arguments in ((0, ("compare", *views, *allowed)), (0, ("check", views[0])), (0, ("tail", *views))):
        assert run([*arguments]) == code
        compare_with_golden(f"logdir_{arguments[0]}_whole", plain(capsys.readouterr().out, tmp_path))
    harm(left)
    for code, name, arguments in (
        (3, "report", ("compare", *views, *allowed)),
        (1, "check", ("check", views[0])),
    ):
        assert run([*arguments]) == code
        compare_with_golden(f"logdir_{arguments[0]}_harmed", plain(capsys.readouterr().out, tmp_path))
        assert run([*arguments, "--output", "json"]) == code
        found = a_document(name, capsys.readouterr().out, tmp_path)
        compare_with_golden(f"logdir_{arguments[0]}_harmed", found, suffix="json")


def test_a_check_in_every_form(
    left: LogDirectory, views: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(left)
    view, file = views[0], tmp_path / "check.json"
    assert run(["check", view, "--quiet", "--export", f"json={file}"]) == 1
    out = capsys.readouterr().out
    assert out.splitlines() == [out.strip()]
    assert out.startswith(
        "DAMAGED: t has defects in 2 of 3 partitions; first: partition 0, missing_segment, [100, 150)"
    )
    document = json.loads(file.read_text())
    VALIDATORS["check"].validate(document)
    assert run(["check", view, "--output", "jsonl"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines if line["type"] == "finding"] == [
        found["kind"] for found in document["findings"]
    ]
    assert run(["check", view, "--partitions", "2", "--workers", "1", "--budget", "1MiB", "--rate-limit", "5MB/s"]) == 0
    assert "1 partition, every one read and checked" in capsys.readouterr().out
    everything = view.removesuffix("t")
    assert run(["check", everything, "--topics", ".*", "--expect-topics", "1", "--quiet"]) == 1
    assert run(["check", everything, "--topics", ".*", "--expect-topics", "2", "--quiet"]) == 2
    assert run(["check", everything, "--topics", "x", "--quiet"]) == 2
    assert run(["check", view, "--partitions", "7"]) == 2


def nothing(path: Path) -> None:
    """There is no such directory."""


def empty(path: Path) -> None:
    path.mkdir()


def a_file(path: Path) -> None:
    path.write_text("x")


def foreign(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("x")
    (path / "pictures").mkdir()


def redpanda(path: Path) -> None:
    for name in ("redpanda/controller/0_0", "kafka_internal/id_allocator/0_1", "kafka/t/0_12"):
        (path / name).mkdir(parents=True)
    (path / "pid.lock").touch()
    (path / "kafka/t/0_12/0-1-v1.log").write_bytes(bytes(100))


def around(path: Path) -> None:
    path.mkdir()
    LogDirectory(path / "kafka-logs").create([log_of(numbered(5))])


def without_topics(path: Path) -> None:
    LogDirectory(path)


MISTAKES: list[tuple[Callable[[Path], object], str]] = [
    (nothing, "does not exist; name a log directory of a broker"),
    (empty, "is empty; name a log directory of a broker"),
    (a_file, "is no directory; name a log directory of a broker"),
    (foreign, "is no log directory of Kafka"),
    (redpanda, "is a data directory of Redpanda"),
    (around, "kafka-logs in it is one; name that"),
    (without_topics, "they hold no topic at all"),
]


@pytest.mark.parametrize(("make", "says"), MISTAKES, ids=[make.__name__ for make, _ in MISTAKES])
def test_what_is_no_log_directory_is_exit_2_and_one_sentence(
    views: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], object],
    says: str,
) -> None:
    path = tmp_path / "other"
    make(path)
    wrong = f"logdir:{path}/t"
    for arguments in (["check", wrong], ["compare", views[0], wrong], ["compare", wrong, views[0]], ["tail", wrong]):
        assert run(arguments) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert says in shown.err
        assert run([*arguments, "--output", "json"]) == 2
        assert json.loads(capsys.readouterr().out)["errors"][0]["fatal"] is True


def test_the_directory_of_a_partition_is_named_as_such(left: LogDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    left.create([log_of(numbered(5))])
    assert run(["check", f"logdir:{left.directory()}/t"]) == 2
    assert (
        f"is the directory of one partition; name the log directory around it, {left.path}" in capsys.readouterr().err
    )
    assert run(["check", f"logdir:{left.path}/t-0"]) == 2
    assert "name its topic, 't'" in capsys.readouterr().err


def test_what_a_side_has_no_use_for_is_refused(views: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    for more, flag in (
        (["-L", "client.id=x"], "-L"),
        (["-R", "client.id=x"], "-R"),
        (["--left-config", "x"], "--left-config"),
        (["--right-config", "x"], "--right-config"),
        (["--data-path", "native"], "--data-path"),
        (["--data-path", "consumer"], "--data-path"),
    ):
        assert run(["compare", *views, *more]) == 2
        shown = capsys.readouterr().err
        assert flag in shown
        assert "is a log directory; remove it" in shown


def test_a_report_of_directories_says_what_they_are(
    views: tuple[str, str], tmp_path: Path, left: LogDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    left.checkpoint("watermark", 299)
    left.checkpoint("recovery", 200)
    assert run(["compare", *views, "--allow-tail", "right", "--output", "json"]) == 0
    document = json.loads(a_document("report", capsys.readouterr().out, tmp_path))
    assert [document[side]["kind"] for side in ("left", "right")] == ["logdir", "logdir"]
    assert [document[side]["node_id"] for side in ("left", "right")] == [1, 2]
    side = document["topics"][0]["partitions"][0]["left"]
    assert (side["end_reason"], side["recovery_point"], side["high_watermark_checkpoint"]) == (
        "end_of_segment",
        200,
        299,
    )
