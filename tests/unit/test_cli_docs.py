"""docs/cli.md and docs/formats.md against the program: options, exit codes, keys, words and examples."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kcompare.check_model import CheckEffect, CheckKind, Soundness
from kcompare.cli import failures
from kcompare.cli.main import run
from kcompare.model import Effect, FindingKind, RecordField, Where
from kcompare.report.schemas import load
from tests.unit.cli_fakes import install

DOCS = Path(__file__).parent.parent.parent / "docs"
CLI = (DOCS / "cli.md").read_text(encoding="utf-8")
SEMANTICS = (DOCS / "semantics.md").read_text(encoding="utf-8")
FORMATS = (DOCS / "formats.md").read_text(encoding="utf-8")
OPTION = re.compile(r"(?<![\w-])(--?[a-z][a-z-]*|-[LR]\b)")


def section(text: str, title: str) -> str:
    """The text below a heading, down to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(title)}$(.*?)(?=^#|\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def options_in_table(text: str) -> set[str]:
    return {option for row in re.findall(r"^\| (`-.*?) \|", text, re.MULTILINE) for option in OPTION.findall(row)}


def options_in_help(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    assert run([*command.split(), "--help"]) == 0
    listed = capsys.readouterr().out.partition("\nOptions:\n")[2].partition("\nCommands:\n")[0]
    rows = re.findall(r"^  (-.*?)(?:  |$)", listed, re.MULTILINE)
    return {option for row in rows for option in OPTION.findall(row)} - {"--help"}


@pytest.mark.parametrize("command", ["compare", "tail", "check", "serve", "demo"])
def test_the_table_has_every_option_and_no_other(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert options_in_table(section(CLI, command)) == options_in_help(command, capsys)


def test_the_programs_own_options_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    for option in options_in_help("", capsys):
        assert f"`{option}`" in CLI or f"{option}`" in CLI


@pytest.mark.parametrize("command", ["compare", "tail", "check", "serve", "demo"])
def test_the_defaults_in_the_table_are_those_of_the_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for row in re.findall(r"^\| `(-.*?)` \|[^|]*\| `([^`]*)` \|", section(CLI, command), re.MULTILINE):
        option, default = row[0].split("`")[-1], row[1]
        if default.startswith("--"):
            continue
        after = told.partition(f" {option} ")[2]
        assert re.match(rf"[^\[]*(\[[^d][^\]]*\][^\[]*)?\[default: {re.escape(default)}[;\]]", after), row


def test_every_exit_code_is_in_the_table() -> None:
    table = section(CLI, "Exit codes")
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert codes == {
        failures.EQUAL,
        failures.DIFFERENT,
        failures.USAGE,
        failures.INCONCLUSIVE,
        failures.REFUSED,
        failures.UNREACHABLE,
        failures.INTERRUPTED,
    }


def examples() -> list[str]:
    blocks = re.findall(r"^```console\n(.*?)^```", CLI, re.DOTALL | re.MULTILINE)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("example", examples())
def test_every_example_runs(
    example: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("B_PASSWORD", "swordfish")
    (tmp_path / "b.password").write_text("swordfish\n")
    (tmp_path / "ca.pem").touch()
    (properties,) = re.findall(r"^```properties\n(.*?)^```", CLI, re.DOTALL | re.MULTILINE)
    (tmp_path / "b.properties").write_text(properties)
    install(monkeypatch)
    program, *arguments = shlex.split(example)
    assert program == "kcompare"
    assert run(arguments) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    if "json" in arguments:
        json.loads(shown.out)


def keys_of(schema: Any) -> Iterator[str]:
    """Every key that a schema describes, at any depth."""
    if isinstance(schema, list):
        for entry in schema:
            yield from keys_of(entry)
    elif isinstance(schema, dict):
        if schema.get("type") == "object":
            yield from schema["properties"]
        for entry in schema.values():
            yield from keys_of(entry)


@pytest.mark.parametrize("name", ["report", "tail", "check"])
def test_every_key_of_the_schemas_is_described(name: Any) -> None:
    named = set(re.findall(r"[`.]([a-z_0-9]+)`", FORMATS))
    assert set(keys_of(load(name))) - named == set()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *(("report", words) for words in (FindingKind, Effect, Where, RecordField)),
        *(("check", words) for words in (CheckKind, CheckEffect, Soundness)),
    ],
)
def test_every_word_of_the_model_is_in_the_schema_and_the_docs(name: Any, words: Any) -> None:
    schema = json.dumps(load(name))
    for word in words:
        assert f'"{word.value}"' in schema
        assert re.search(rf"\b{word.value}\b", FORMATS + CLI + SEMANTICS)
