"""``kcompare check`` with an engine that a test answers for: options, outputs, exit codes, refusals."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kcompare.check_model import Soundness
from kcompare.cli.main import run
from kcompare.errors import SourceError, TopicNotFoundError, UnreachableError
from tests.unit.check_samples import check_damaged, check_inconclusive, check_sound
from tests.unit.cli_fakes import CheckRequest, FakeEngine, install

VIEW = "logdir:/mnt/kafka/blogs"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    return install(monkeypatch)


def test_options_reach_the_engine(engine: FakeEngine) -> None:
    options = (
        "--partitions 0,3-5 --allow-gaps --allow-empty --workers 3 --budget 1MiB --rate-limit 5MB/s --max-findings 7"
    )
    assert run(["check", "kafka://h:1/blogs", *options.split(), "-L", "client.id=audit"]) == 0
    (request,) = engine.requests
    assert isinstance(request, CheckRequest)
    assert (request.view.topic, request.partitions) == ("blogs", (0, 3, 4, 5))
    assert (request.allow_gaps, request.allow_empty, request.workers) == (True, True, 3)
    assert (request.budget_bytes, request.rate_limit_bytes, request.max_findings) == (1 << 20, 5_000_000, 7)
    assert request.settings.client_id == "audit"


def test_topics_are_chosen_where_the_view_names_none(engine: FakeEngine) -> None:
    assert run(["check", "logdir:/a/,/b/", "--topics", "x.*", "--expect-topics", "2"]) == 0
    (request,) = engine.requests
    assert (request.view.paths, request.topics.topics.text, request.topics.expected) == (("/a", "/b"), "x.*", 2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["logdir:/a/"], "names no topic; write 'logdir:/a/TOPIC', or say --topics REGEX"),
        ([VIEW, "--topics", "x"], "names one already; end it in '/'"),
        ([VIEW, "--expect-topics", "2"], "the view names 1 topic"),
        (
            [VIEW, "-L", "client.id=x"],
            "-L is for clusters, and 'logdir:/mnt/kafka/blogs' is a log directory; remove it",
        ),
        ([VIEW, "--left-config", "x"], "--left-config is for clusters"),
        ([VIEW, "--data-path", "consumer"], "--data-path consumer chooses what reads a cluster"),
        (["logdir:blogs"], "VIEW: 'blogs' in view 'logdir:blogs' is no path and topic"),
        ([VIEW, "--partitions", "x"], "--partitions"),
        ([VIEW, "--map", "a=b"], "--map"),
    ],
)
def test_a_mistake_is_exit_2_and_one_sentence(
    engine: FakeEngine, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", *arguments]) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert engine.requests == []


@pytest.mark.parametrize(
    ("make", "code"), [(check_sound, 0), (check_damaged, 1), (check_inconclusive, 5)], ids=["sound", "damaged", "away"]
)
def test_the_exit_code_is_that_of_the_report(engine: FakeEngine, make: object, code: int) -> None:
    engine.check_answer = make  # type: ignore[assignment]
    assert run(["check", VIEW, "--quiet"]) == code


def test_a_sound_verdict_over_something_unread_is_an_error_of_ours(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.check_answer = lambda: replace(check_damaged(), verdict=Soundness.SOUND, exit_code=0)
    assert run(["check", VIEW]) == 3
    assert "contradicts itself" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [(TopicNotFoundError("no topic"), 2), (SourceError("no file"), 3), (UnreachableError("nobody"), 5)],
)
def test_a_run_that_fails_prints_its_document(
    engine: FakeEngine, error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> object:
        raise error

    engine.check_answer = fail  # type: ignore[assignment]
    assert run(["check", VIEW, "--output", "json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["exit_code"]) == ("kcompare.check/1", code)
    assert document["verdict"] == (None if code == 2 else "INCONCLUSIVE")
    assert document["view"]["kind"] == "logdir"


def test_a_mistake_of_the_parser_prints_a_document_too(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", VIEW, "--no-such", "--output", "json"]) == 2
    assert json.loads(capsys.readouterr().out)["schema"] == "kcompare.check/1"
    assert engine.requests == []


def test_exports_are_written_and_one_that_fails_is_no_success(engine: FakeEngine, tmp_path: Path) -> None:
    file = tmp_path / "check.json"
    assert run(["check", VIEW, "--export", f"json={file}", "--quiet"]) == 0
    assert json.loads(file.read_text())["verdict"] == "SOUND"
    assert run(["check", VIEW, "--export", "json=/dev/full", "--quiet"]) == 3
    assert len(engine.requests) == 2
