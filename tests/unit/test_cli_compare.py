"""`kcompare compare`: options to request, report to output and exit code, and errors to one sentence."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kcompare.cli.main import run
from kcompare.errors import (
    InterruptedRunError,
    ProtocolError,
    RefusedError,
    SameSourceError,
    TopicNotFoundError,
    UnreachableError,
    UnsupportedError,
)
from kcompare.model import DataPath, IsolationLevel, Mode, RecordField, Report, Verdict
from kcompare.report.schemas import load
from kcompare.report.text import report_text
from kcompare.settings.allowances import parse_allowance
from kcompare.settings.cluster import ClusterSettings
from kcompare.settings.properties import cluster_settings
from kcompare.settings.ranges import parse_range
from tests.unit.cli_fakes import DEFAULTS, CompareRequest, FakeEngine, install
from tests.unit.report_samples import REPORTS, equal_with_tail

VIEWS = ("kafka://a:1/blogs", "kafka://b:2/blogs")
VALIDATOR = Draft202012Validator(load("report"))


def settings(*entries: str, path: DataPath | None = None) -> ClusterSettings:
    return cluster_settings("-L", entries, None, path, request_timeout_ms=30_000, stall_timeout_ms=60_000)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    return install(monkeypatch)


def raising(error: BaseException) -> Callable[[], Report]:
    def answer() -> Report:
        raise error

    return answer


def request_of(engine: FakeEngine, *arguments: str) -> CompareRequest:
    assert run(["compare", *VIEWS, *arguments]) == 0
    request = engine.requests[-1]
    assert isinstance(request, CompareRequest)
    return request


def test_without_options_the_request_has_the_engines_defaults(engine: FakeEngine) -> None:
    request = request_of(engine)
    assert (request.left.text, request.right.bootstrap) == (VIEWS[0], (("b", 2),))
    assert request == CompareRequest(request.left, request.right)


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ("--fields key,value", "fields", (RecordField.KEY, RecordField.VALUE)),
        ("--mode latest", "mode", Mode.LATEST),
        ("--isolation read_uncommitted", "left_isolation", IsolationLevel.READ_UNCOMMITTED),
        ("--isolation read_uncommitted", "right_isolation", IsolationLevel.READ_UNCOMMITTED),
        ("--left-isolation read_uncommitted", "left_isolation", IsolationLevel.READ_UNCOMMITTED),
        ("--left-isolation read_uncommitted", "right_isolation", IsolationLevel.READ_COMMITTED),
        ("--right-isolation read_uncommitted", "right_isolation", IsolationLevel.READ_UNCOMMITTED),
        ("--settle 250ms", "settle_s", 0.25),
        ("--settle 0s", "settle_s", 0.0),
        ("--allow-head left", "allow_head", parse_allowance("left")),
        ("--allow-tail right:30s", "allow_tail", parse_allowance("right:30s")),
        ("--allow-gaps", "allow_gaps", True),
        ("--allow-empty", "allow_empty", True),
        ("--allow-same", "allow_same", True),
        ("--partitions 0,3-5", "partitions", (0, 3, 4, 5)),
        ("--workers 7", "workers", 7),
        ("--budget 128MiB", "budget_bytes", 128 << 20),
        ("--max-findings 5", "max_findings", 5),
        ("--left-range 5:10", "left_range", parse_range("5:10")),
        ("--right-range=-7", "right_range", parse_range("-7")),
        ("--left-range -7", "left_range", parse_range("-7")),
        ("--rate-limit 200MB/s", "rate_limit_bytes", 200_000_000),
        ("-L client.id=a -L client.rack=b", "left_settings", settings("client.id=a", "client.rack=b")),
        ("-L client.id=a", "right_settings", DEFAULTS),
        ("-R client.id=a", "right_settings", settings("client.id=a")),
        ("-R client.id=a", "left_settings", DEFAULTS),
        ("--left-config /dev/null", "left_settings", DEFAULTS),
        ("--data-path native", "left_settings", settings(path=DataPath.NATIVE)),
        ("--data-path consumer", "right_settings", settings(path=DataPath.CONSUMER)),
        ("--stall-timeout 2m", "left_settings", replace(DEFAULTS, stall_timeout_ms=120_000)),
        ("--stall-timeout 2m", "right_settings", replace(DEFAULTS, stall_timeout_ms=120_000)),
        ("--request-timeout 5s", "left_settings", replace(DEFAULTS, request_timeout_ms=5_000)),
        ("--request-timeout 5s", "right_settings", replace(DEFAULTS, request_timeout_ms=5_000)),
    ],
)
def test_every_option_reaches_the_request(engine: FakeEngine, arguments: str, name: str, value: Any) -> None:
    request = request_of(engine, *arguments.split())
    assert getattr(request, name) == value


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "not_compared"])
def test_the_exit_code_is_the_reports(engine: FakeEngine, capsys: pytest.CaptureFixture[str], name: str) -> None:
    engine.answer = REPORTS[name]
    made = REPORTS[name]()
    assert run(["compare", *VIEWS]) == made.exit_code
    assert capsys.readouterr().out == report_text(made)
    assert run(["compare", *VIEWS, "--output", "json"]) == made.exit_code
    document = json.loads(capsys.readouterr().out)
    VALIDATOR.validate(document)
    assert document["verdict"] == made.verdict
    assert run(["compare", *VIEWS, "--output", "jsonl"]) == made.exit_code
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1])["exit_code"] == made.exit_code


def test_quiet_prints_the_verdict_alone(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", *VIEWS, "--quiet"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("EQUAL: ")
    assert (shown.out.count("\n"), shown.err) == (1, "")
    assert run(["compare", *VIEWS, "--quiet", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "EQUAL"
    assert len(engine.requests) == 2


def test_a_fatal_error_is_told_on_stderr_where_stdout_is_for_a_program(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.answer = REPORTS["inconclusive"]
    assert run(["compare", *VIEWS, "--output", "json"]) == 4
    told = capsys.readouterr().err
    assert told.startswith("kcompare: not authorized to read \\x1b[31m")
    assert told.count("\n") == 1


USAGE = [
    ("", "missing argument 'LEFT'"),
    ("kafka://a:1/t", "missing argument 'RIGHT'"),
    ("kafka://a:1/t kafka://b:2/t kafka://c:3/t", "unexpected extra argument"),
    ("kafka://a:1/ kafka://b:2/t", "view 'kafka://a:1/' names no topic and view 'kafka://b:2/t' names one"),
    ("kafka://a:1/ kafka://b:2/", "view 'kafka://a:1/' names no topic"),
    ("kafka://a:1/ kafka://b:2/ --expect-topics 3", "view 'kafka://a:1/' names no topic"),
    ("kafka://a:1/t kafka://b:2/t --topics t", "view 'kafka://a:1/t' names one already"),
    ("kafka://a:1/t kafka://b:2/t --map a=b", "view 'kafka://a:1/t' names one already"),
    ("kafka://a:1/t kafka://b:2/t --expect-topics 2", "--expect-topics 2: the two views name 1 pair"),
    ("kafka://a:1/ kafka://b:2/ --topics (", "--topics: pattern '(' is no regular expression (unclosed group)"),
    ("kafka://a:1/ kafka://b:2/ --map (=b", "--map: pattern '(' is no regular expression"),
    ("kafka://a:1/ kafka://b:2/ --map a", "--map: map 'a' has no pattern and replacement"),
    ("kafka://a:1/t kafka://b:2/t --left-range 5", "--left-range: range '5' is no range"),
    ("kafka://a:1/t kafka://b:2/t --right-range 9:3", "--right-range: range '9:3' ends where it starts"),
    ("kafka://a:1/t kafka://b:2/t --rate-limit 5MB", "--rate-limit: rate '5MB' does not end in '/s'"),
    ("kafka://a:1/t prod/t", "RIGHT: view 'prod/t' has no address"),
    ("kafka://a:1/t kafka://b:2/t --allow-tial right", "no such option: --allow-tial"),
    ("kafka://a:1/t kafka://b:2/t --allow-tail source", "--allow-tail: allowance 'source'"),
    ("kafka://a:1/t kafka://b:2/t --allow-head right:x", "--allow-head: allowance 'right:x'"),
    ("kafka://a:1/t kafka://b:2/t --mode fast", "'fast' is not one of 'auto', 'log', 'latest', 'set'"),
    ("kafka://a:1/t kafka://b:2/t --fields size", "--fields: fields 'size'"),
    ("kafka://a:1/t kafka://b:2/t --settle 15", "--settle: duration '15' has no unit"),
    ("kafka://a:1/t kafka://b:2/t --stall-timeout 0s", "--stall-timeout: a duration of 0"),
    ("kafka://a:1/t kafka://b:2/t --budget 0B", "--budget: a size of 0"),
    ("kafka://a:1/t kafka://b:2/t --budget much", "--budget: size 'much'"),
    ("kafka://a:1/t kafka://b:2/t --partitions 3-1", "--partitions: partitions '3-1'"),
    ("kafka://a:1/t kafka://b:2/t --workers 0", "'--workers'"),
    ("kafka://a:1/t kafka://b:2/t --max-findings none", "'--max-findings'"),
    ("kafka://a:1/t kafka://b:2/t --output", "'--output' requires an argument"),
    ("kafka://a:1/t kafka://b:2/t --output yaml", "'yaml' is not one of"),
    ("kafka://a:1/t kafka://b:2/t -L client.id", "-L number 1 has no '='"),
    ("kafka://a:1/t kafka://b:2/t -R sasl.pasword=x", "-R sasl.pasword is no property"),
    ("kafka://a:1/t kafka://b:2/t -R sasl.password=x", "-R sasl.password holds a secret"),
    ("kafka://a:1/t kafka://b:2/t -R security.protocol=ssl --data-path native", "--data-path native does without"),
    ("kafka://a:1/t kafka://b:2/t --data-path fast", "'fast' is not one of 'native', 'consumer'"),
    ("kafka://a:1/t kafka://b:2/t --left-config /nowhere", "--left-config names '/nowhere'"),
    ("kafka://a:1/t kafka://b:2/t --right-config /nowhere", "--right-config names '/nowhere'"),
    ("kafka://a:1/t kafka://b:2/t --export report.json", "--export 'report.json'"),
    ("kafka://a:1/t kafka://b:2/t --export yaml=x", "--export 'yaml=x'"),
    ("kafka://a:1/t kafka://b:2/t --export json=-", "--export 'json=-'"),
    ("kafka://a:1/t kafka://b:2/t --export json=/nowhere/at/all", "cannot be opened"),
    ("kafka://a:1/t kafka://b:2/t --export json=x --export text=x", "twice"),
]


@pytest.mark.parametrize(("arguments", "says"), USAGE)
def test_a_mistake_is_one_sentence_and_exit_2(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], arguments: str, says: str
) -> None:
    assert run(["compare", *arguments.split()]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert says in shown.err
    assert shown.err.startswith("kcompare: ")
    assert shown.err.count("\n") == 1
    assert not engine.requests


@pytest.mark.parametrize(("arguments", "says"), [row for row in USAGE if "--output" not in row[0]])
@pytest.mark.parametrize("asked", [["--output", "json"], ["--output=json"]])
def test_a_mistake_is_a_document_too_where_one_was_asked_for(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], arguments: str, says: str, asked: list[str]
) -> None:
    assert run(["compare", *asked, *arguments.split()]) == 2
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    VALIDATOR.validate(document)
    assert (document["verdict"], document["exit_code"]) == (None, 2)
    assert says in document["errors"][0]["message"]
    assert shown.err.count("\n") == 1
    assert not engine.requests


def test_a_password_reaches_neither_stdout_nor_stderr(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["kafka://bob:s3cret@h/t", VIEWS[0]], [*VIEWS, "kafka://bob:s3cret@h/t"]):
        for chosen in ("text", "json", "jsonl"):
            assert run(["--debug", "compare", *arguments, "--output", chosen]) == 2
            shown = capsys.readouterr()
            assert "s3cret" not in shown.out
            assert "s3cret" not in shown.err
    assert not engine.requests


@pytest.mark.parametrize(
    ("error", "code", "verdict"),
    [
        (TopicNotFoundError("topic 'blgs' does not exist at kafka://a:1/blgs; look at the name"), 2, None),
        (
            SameSourceError("both views are topic 'blogs' of one cluster; name two, or add --allow-same"),
            2,
            None,
        ),
        (RefusedError("broker a:1 refused the login; look at the credentials"), 4, "INCONCLUSIVE"),
        (UnreachableError("broker a:1 did not answer; look whether it runs"), 5, "INCONCLUSIVE"),
        (ProtocolError("broker a:1 answered with 3 bytes"), 3, "INCONCLUSIVE"),
        (UnsupportedError("broker a:1 has no Fetch v4"), 3, "INCONCLUSIVE"),
        (InterruptedRunError("interrupted"), 130, "INCONCLUSIVE"),
        (KeyboardInterrupt(), 130, "INCONCLUSIVE"),
        (ZeroDivisionError("division\nby \x1b zero"), 3, "INCONCLUSIVE"),
        (MemoryError(), 3, "INCONCLUSIVE"),
    ],
)
def test_an_error_out_of_the_engine_is_a_document_and_a_sentence(
    engine: FakeEngine,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    verdict: str | None,
) -> None:
    engine.answer = raising(error)
    assert run(["compare", *VIEWS]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.strip().isprintable()
    assert run(["compare", *VIEWS, "--output", "json"]) == code
    document = json.loads(capsys.readouterr().out)
    VALIDATOR.validate(document)
    assert (document["verdict"], document["exit_code"]) == (verdict, code)
    assert [document["left"]["view"], document["right"]["view"]] == list(VIEWS)
    assert document["errors"][0]["fatal"] is True


TOPICS_NOT_EQUAL: tuple[dict[str, Any], ...] = (
    {"verdict": Verdict.INCONCLUSIVE},
    {"verdict": Verdict.DIFFERENT},
    {"partitions": ()},
)


def contradictions() -> list[Report]:
    equal, different = equal_with_tail(), REPORTS["different_changed"]()
    open_one = REPORTS["inconclusive"]()
    made = [replace(equal, topics=other.topics) for other in (different, open_one)]
    partition = equal.topics[0].partitions[0]
    assert partition.left is not None
    spoiled = (
        replace(partition, left=replace(partition.left, uncovered_offsets=1)),
        replace(partition, findings=different.topics[0].partitions[1].findings),
    )
    made += [replace(equal, topics=(replace(equal.topics[0], partitions=(one,)),)) for one in spoiled]
    pair, many = equal.topics[0], REPORTS["many_topics"]()
    made += [replace(equal, topics=())]
    made += [replace(equal, topics=(pair, replace(pair, **spoiled))) for spoiled in TOPICS_NOT_EQUAL]
    made += [replace(equal, topics=(pair, replace(pair, findings=many.topics[at].findings))) for at in (5, 8)]
    made += [replace(open_one, exit_code=code) for code in (0, 1, 2)]
    made += [replace(different, exit_code=code) for code in (0, 2, 5)]
    made += [replace(equal, exit_code=5), replace(equal, exit_code=1), replace(equal, verdict=None)]
    return [*made, replace(open_one, verdict=None)]


@pytest.mark.parametrize("number", range(len(contradictions())))
def test_a_report_that_contradicts_itself_is_no_success(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    engine.answer = lambda: contradictions()[number]
    assert run(["compare", *VIEWS, "--output", "json"]) == 3
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert (document["verdict"], document["errors"][0]["code"]) == ("INCONCLUSIVE", "INTERNAL")
    assert shown.err.startswith("kcompare: the report contradicts itself, with the verdict ")


@pytest.mark.parametrize("place", [0, 1, 3, 4])
def test_a_traceback_comes_only_with_debug(engine: FakeEngine, capsys: pytest.CaptureFixture[str], place: int) -> None:
    engine.answer = raising(ZeroDivisionError("division by zero"))
    arguments = ["compare", *VIEWS, "--quiet"]
    assert run(arguments) == 3
    assert "Traceback" not in capsys.readouterr().err
    arguments.insert(place, "--debug")
    assert run(arguments) == 3
    shown = capsys.readouterr()
    assert "Traceback" in shown.err
    assert shown.err.splitlines()[-1].startswith("kcompare: an error of kcompare itself ended the run")


def test_exports_are_written_beside_stdout(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = {name: tmp_path / f"report.{name}" for name in ("text", "json", "jsonl")}
    exports = [part for name, path in files.items() for part in ("--export", f"{name}={path}")]
    assert run(["compare", *VIEWS, *exports]) == 0
    assert files["text"].read_text() == capsys.readouterr().out
    assert json.loads(files["json"].read_text())["verdict"] == "EQUAL"
    assert json.loads(files["jsonl"].read_text().splitlines()[-1])["type"] == "summary"
    assert sorted(tmp_path.iterdir()) == sorted(files.values())
    assert len(engine.requests) == 1


def test_an_export_holds_the_document_of_a_failed_run_too(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    engine.answer = raising(UnreachableError("broker a:1 did not answer"))
    path = tmp_path / "report.json"
    assert run(["compare", *VIEWS, "--export", f"json={path}"]) == 5
    assert json.loads(path.read_text())["exit_code"] == 5
    assert capsys.readouterr().out == ""


def test_an_older_export_stays_until_the_new_one_is_whole(engine: FakeEngine, tmp_path: Path) -> None:
    path, link = tmp_path / "report.json", tmp_path / "latest.json"
    path.write_text("older")
    link.symlink_to(path)

    def answer() -> Report:
        assert path.read_text() == "older"
        assert len(list(tmp_path.iterdir())) == 3
        return equal_with_tail()

    engine.answer = answer
    assert run(["compare", *VIEWS, "--export", f"json={link}"]) == 0
    assert json.loads(path.read_text())["verdict"] == "EQUAL"
    assert link.is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


def test_an_export_that_cannot_be_written_is_no_success(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", *VIEWS, "--export", "json=/dev/full", "--output", "json"]) == 3
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert (document["verdict"], document["exit_code"]) == ("EQUAL", 3)
    assert document["errors"][-1]["code"] == "EXPORT"
    assert "could not be written to '/dev/full'" in shown.err
    engine.answer = REPORTS["different_changed"]
    assert run(["compare", *VIEWS, "--export", "json=/dev/full"]) == 1


def test_text_that_the_locale_cannot_spell_is_escaped(
    engine: FakeEngine, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import os
    import sys

    engine.answer = lambda: replace(equal_with_tail(), notes=("café",))
    with io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), encoding="ascii") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert run(["compare", *VIEWS]) == 0
    assert b"caf\\xe9" in capfdbinary.readouterr().out


def test_the_last_line_of_defence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: Any) -> int:
        raise LookupError("nobody\nthought of it")

    monkeypatch.setattr("kcompare.cli.app.invoke", broken)
    assert run(["compare"]) == 3
    told = capsys.readouterr().err
    assert told.startswith("kcompare: an error of kcompare itself ended it (LookupError: nobody\\nthought")
    assert told.count("\n") == 1
    assert run(["compare", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err
