"""No secret comes out: not from a refusal, an error, a report, an export or a traceback."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException

from kcompare.cli.main import run
from kcompare.errors import RefusedError, UnreachableError
from kcompare.model import Effect, ErrorEntry, Finding, FindingKind, Report, TailReport
from kcompare.settings.secrets import forget, hide, is_secret, remember, resolve
from tests.unit.cli_fakes import FakeEngine, install
from tests.unit.report_samples import inconclusive, tail_with_errors

CANARY = "canary 'x\\y\" é-7f3e"
FORMS = {CANARY, ascii(CANARY)[1:-1], json.dumps(CANARY)[1:-1], "7f3e"}
VIEWS = ("kafka://a:1/blogs", "kafka://b:2/blogs")
LOGIN = "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=me\nsasl.password="


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    return install(monkeypatch)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, list[str]]:
    """The options by which a secret comes in, each of the right side."""
    monkeypatch.setenv("SECRET", CANARY)
    (tmp_path / "secret").write_text(CANARY + "\n")
    flags = [part for line in LOGIN.splitlines()[:3] for part in ("-L", line)]
    made = {
        "env": [*flags, "-L", "sasl.password={env=SECRET}"],
        "file": [*flags, "-L", f"sasl.password={{file={tmp_path / 'secret'}}}"],
    }
    for name, value in (("literal", CANARY), ("config_env", "{env=SECRET}")):
        (tmp_path / name).write_text(LOGIN + value)
        made[name] = ["--left-config", str(tmp_path / name)]
    return made


def assert_silent(*outputs: str) -> None:
    for text in outputs:
        for form in FORMS:
            assert form not in text


def told_by_librdkafka() -> BaseException:
    """An error with the secret in it, as librdkafka makes one of a value that it does not like."""
    with pytest.raises(KafkaException, match="7f3e") as caught:
        Consumer({"group.id": "none", "security.protocol": CANARY})
    return caught.value


def failing(kind: Callable[[str], BaseException]) -> Callable[[], Any]:
    def answer() -> Any:
        cause = told_by_librdkafka()
        raise kind(f"broker a:1 did not answer: {cause}") from cause

    return answer


@pytest.mark.parametrize("kind", [UnreachableError, RefusedError, RuntimeError])
@pytest.mark.parametrize("way", ["env", "file", "literal", "config_env"])
@pytest.mark.parametrize("command", ["compare", "tail"])
def test_an_error_of_librdkafka_comes_out_without_the_secret(
    engine: FakeEngine,
    ways: dict[str, list[str]],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    kind: Callable[[str], BaseException],
    way: str,
    command: str,
) -> None:
    engine.answer = engine.tail_answer = failing(kind)
    for chosen in ("text", "json", "jsonl"):
        export = tmp_path / f"{chosen}.out"
        arguments = [command, *VIEWS, *ways[way], "--debug", "--output", chosen, "--export", f"json={export}"]
        assert run(arguments) in {3, 4, 5}
        shown = capsys.readouterr()
        assert_silent(shown.out, shown.err, export.read_text())
        assert "Traceback" in shown.err
        # The rest of the sentence is there.
        assert "broker a:1 did not answer" in shown.err
        assert "***" in shown.err
    (request, *_) = engine.requests
    assert_silent(repr(request))
    settings = request.settings[0] if command == "tail" else request.left_settings
    assert dict(settings.properties)["sasl.password"] == CANARY


def leaking_report() -> Report:
    made = inconclusive()
    told = str(told_by_librdkafka())
    finding = Finding(FindingKind.UNCLASSIFIED, Effect.UNVERIFIED, 0, records=1, detail=told)
    entry = replace(made.topics[0].partitions[0], findings=(finding,), findings_total=1, warnings=(told,))
    topic = replace(made.topics[0], partitions=(entry,), findings=(finding,))
    assert made.options is not None
    return replace(
        made,
        topics=(topic,),
        options=replace(made.options, mode_reason=told, fields_reason=told),
        errors=(ErrorEntry("REFUSED", told, fatal=True), ErrorEntry("REFUSED", told, fatal=False)),
    )


def leaking_tail() -> TailReport:
    made, told = tail_with_errors(), str(told_by_librdkafka())
    (view,) = made.views
    partitions = tuple(replace(entry, error=told) for entry in view.partitions)
    return TailReport((replace(view, partitions=partitions),), (ErrorEntry("REFUSED", told, fatal=True),))


@pytest.mark.parametrize("chosen", ["text", "json", "jsonl"])
@pytest.mark.parametrize("command", ["compare", "tail"])
def test_a_report_comes_out_without_the_secret(
    engine: FakeEngine,
    ways: dict[str, list[str]],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: str,
    chosen: str,
) -> None:
    engine.answer, engine.tail_answer = leaking_report, leaking_tail
    exports = [part for name in ("text", "json", "jsonl") for part in ("--export", f"{name}={tmp_path / name}")]
    assert run([command, *VIEWS, *ways["env"], "--output", chosen, *exports]) == 4
    shown = capsys.readouterr()
    texts = [shown.out, shown.err, *((tmp_path / name).read_text() for name in ("text", "json", "jsonl"))]
    assert_silent(*texts)
    assert all("***" in text for text in (texts[0], *texts[2:]))


MISPLACED = [
    ["-L", "sasl.password=SECRET"],
    ["-L", "SECRET"],
    ["-L", "SECRET=1"],
    ["-L", "security.protocol={env=SECRET}"],
    ["-L", "sasl.jaas.config=required password='SECRET';"],
    ["-L", "ssl.truststore.password=SECRET"],
    ["-L", "my.own.secret=SECRET"],
    ["sasl.password=SECRET"],
    ["ssl.key.password = SECRET"],
    ["sasl.password=some SECRET"],
    ["-Psasl.password=SECRET"],
    ["--sasl.password=SECRET"],
]


@pytest.mark.parametrize("command", ["compare", "tail"])
@pytest.mark.parametrize("arguments", MISPLACED)
def test_a_refusal_does_not_repeat_the_secret(
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    arguments: list[str],
) -> None:
    word = "canary-7f3e"
    monkeypatch.setenv("SECRET", word)
    written = [argument if "{env" in argument else argument.replace("SECRET", word) for argument in arguments]
    for chosen in ("text", "json", "jsonl"):
        assert run([command, *VIEWS, *written, "--debug", "--output", chosen]) == 2
        shown = capsys.readouterr()
        assert_silent(shown.out, shown.err)
    assert not engine.requests


@pytest.mark.parametrize("command", ["compare", "tail"])
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    "view", ["sasl.password=some canary-7f3e", "kafka://a:1/password=x canary-7f3e", "x secret = 7f3e"]
)
def test_a_property_in_the_place_of_a_view_loses_its_value(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], command: str, place: int, view: str
) -> None:
    views = list(VIEWS)
    views[place] = view
    for chosen in ("text", "json"):
        assert run([command, *views, "--debug", "--output", chosen]) == 2
        shown = capsys.readouterr()
        assert_silent(shown.out, shown.err)
        assert "looks like a client property; give it to -L or -R" in shown.err
    assert not engine.requests


def test_a_secret_in_a_config_file_that_is_wrong_is_not_repeated(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "client.properties"
    for line in (f"security.protocol={CANARY}", CANARY, f"sasl.jaas.config={CANARY}", f"reconnect.backoff.ms={CANARY}"):
        path.write_text(LOGIN.replace("security.protocol=SASL_SSL\n", "") + f"{CANARY}\n{line}\n")
        assert run(["compare", *VIEWS, "--right-config", str(path), "--debug", "--output", "json"]) == 2
        shown = capsys.readouterr()
        assert_silent(shown.out, shown.err)
        assert "line 4" in shown.err
    assert not engine.requests


def test_every_line_of_a_key_is_hidden() -> None:
    remember("-----BEGIN-----\nMIIEvQIBADANBgkqh\nabc\n")
    assert hide("x MIIEvQIBADANBgkqh y") == "x *** y"
    assert hide("abcdef") == "abcdef"


@pytest.mark.parametrize("spelt", [CANARY, ascii(CANARY), json.dumps(CANARY)])
def test_a_secret_is_hidden_however_it_is_escaped(spelt: str) -> None:
    remember(CANARY)
    assert_silent(hide(f"Invalid value {spelt} for"))


def test_a_short_secret_is_hidden_as_a_word() -> None:
    remember("a")
    assert hide("an a in a=a") == "an *** in ***=***"


def test_the_longest_secret_goes_first() -> None:
    for value in ("hunter", "hunter2hunter"):
        remember(value)
    assert hide("hunter2hunter, hunter") == "***, ***"
    forget()
    assert hide("hunter") == "hunter"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sasl.password=x y", "sasl.password=*** y"),
        ("SSL.KEY.PASSWORD = x", "SSL.KEY.PASSWORD = ***"),
        ("client_secret=x&token=y", "client_secret=***"),
        ("write sasl.password={env=NAME} or", "write sasl.password={env=NAME} or"),
        ("sasl.username=me", "sasl.username=me"),
    ],
)
def test_what_stands_behind_a_secrets_name_is_hidden(text: str, shown: str) -> None:
    assert hide(text) == shown
    assert hide(shown) == shown


@pytest.mark.parametrize(
    "name", ["sasl.password", "x.passphrase", "API.KEY", "a.token", "sasl.jaas.config", "ssl.keystore.key", "my.pwd"]
)
def test_a_name_that_may_be_a_secrets_is_one(name: str) -> None:
    assert is_secret(name)


def test_a_reference_in_a_text_without_one_changes_nothing() -> None:
    assert resolve("a{b}c{}", "-L x") == "a{b}c{}"
