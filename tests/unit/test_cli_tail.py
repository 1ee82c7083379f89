"""`kcompare tail`: views to request, report to output and exit code."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kcompare.cli.main import run
from kcompare.errors import RefusedError, UnreachableError
from kcompare.model import DataPath, ErrorEntry, IsolationLevel, TailReport
from kcompare.report.schemas import load
from kcompare.report.tail_text import tail_text
from tests.unit.cli_fakes import DEFAULTS, FakeEngine, TailRequest, install
from tests.unit.report_samples import TAILS, tail_of_seed, tail_with_errors

VIEW = "kafka://a:1/blogs"
VALIDATOR = Draft202012Validator(load("tail"))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    return install(monkeypatch)


def test_the_options_reach_the_request(engine: FakeEngine) -> None:
    assert run(["tail", VIEW]) == 0
    settings = (replace(DEFAULTS, stall_timeout_ms=30_000),)
    assert engine.requests[-1] == TailRequest(engine.requests[-1].views, settings=settings)
    other = "kafka://b:2/blogs"
    assert run(["tail", "-n", "3", "--show-values", "--isolation", "read_uncommitted", VIEW, other]) == 0
    request = engine.requests[-1]
    assert [view.text for view in request.views] == [VIEW, other]
    assert (request.count, request.show_values) == (3, True)
    assert request.isolation is IsolationLevel.READ_UNCOMMITTED


def test_the_first_view_has_the_left_settings_and_the_second_the_right_ones(engine: FakeEngine, tmp_path: Path) -> None:
    file = tmp_path / "right.properties"
    file.write_text("client.rack=r\nclient.id=file\n")
    flags = ["-L", "client.id=first", "-R", "client.id=second", "--right-config", str(file)]
    assert run(["tail", VIEW, "kafka://b:2/blogs", *flags]) == 0
    left, right = engine.requests[-1].settings
    assert (left.client_id, left.rack_id) == ("first", None)
    assert (right.client_id, right.rack_id) == ("second", "r")
    assert run(["tail", VIEW, "-L", "client.id=first", "--data-path", "consumer"]) == 0
    (only,) = engine.requests[-1].settings
    assert (only.client_id, only.data_path, only.stall_timeout_ms) == ("first", DataPath.CONSUMER, 30_000)


@pytest.mark.parametrize("name", TAILS)
def test_the_report_is_shown_in_every_format(engine: FakeEngine, capsys: pytest.CaptureFixture[str], name: str) -> None:
    engine.tail_answer = TAILS[name]
    code = 5 if name == "tail_errors" else 0
    assert run(["tail", VIEW]) == code
    assert capsys.readouterr().out == tail_text(TAILS[name]())
    assert run(["tail", VIEW, "--output", "json"]) == code
    VALIDATOR.validate(json.loads(capsys.readouterr().out))
    assert run(["tail", VIEW, "--output", "jsonl"]) == code
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["type"] == "summary"


@pytest.mark.parametrize(
    ("codes", "exit_code"),
    [(["SASL_AUTHENTICATION_FAILED", "UNREACHABLE"], 4), (["STALLED"], 5), (["PROTOCOL"], 3), ([], 0)],
)
def test_the_exit_code_follows_from_the_errors(engine: FakeEngine, codes: list[str], exit_code: int) -> None:
    errors = tuple(ErrorEntry(code, "broker a:1 went away", fatal=True) for code in codes)
    engine.tail_answer = lambda: TailReport(tail_of_seed().views, errors)
    assert run(["tail", VIEW]) == exit_code


def test_a_partition_that_was_not_read_is_no_success(engine: FakeEngine) -> None:
    engine.tail_answer = lambda: TailReport(tail_with_errors().views)
    assert run(["tail", VIEW]) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "missing argument"),
        ([VIEW] * 3, "takes one or two views and got 3"),
        (["kafka://a:1/"], "VIEW: view 'kafka://a:1/' names no topic"),
        ([VIEW, "-n", "0"], "'-n'"),
        ([VIEW, "-R", "client.id=a"], "are for a second view and there is none; use -L"),
        ([VIEW, "--right-config", "/nowhere"], "are for a second view and there is none; use -L"),
        ([VIEW, VIEW, "-R", "sasl.password=x"], "-R sasl.password holds a secret"),
        ([VIEW, "--follow"], "no such option: --follow"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_document(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert run(["tail", *arguments]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert says in shown.err
    assert run(["tail", "--output", "json", *arguments]) == 2
    document = json.loads(capsys.readouterr().out)
    VALIDATOR.validate(document)
    assert says in document["errors"][0]["message"]
    assert not engine.requests


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (RefusedError("broker a:1 refused the login"), 4),
        (UnreachableError("broker a:1 did not answer"), 5),
        (KeyboardInterrupt(), 130),
        (IndexError("out of range"), 3),
    ],
)
def test_an_error_out_of_the_engine_is_a_sentence_and_a_document(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], error: BaseException, exit_code: int
) -> None:
    def answer() -> TailReport:
        raise error

    engine.tail_answer = answer
    assert run(["tail", VIEW]) == exit_code
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert run(["tail", VIEW, "--output=json"]) == exit_code
    VALIDATOR.validate(json.loads(capsys.readouterr().out))
