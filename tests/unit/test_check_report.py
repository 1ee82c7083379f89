"""Checks as text and as documents: golden files, the schema, and what no report may say."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from kcompare.check_model import CheckEffect, CheckReport, Soundness
from kcompare.cli.check_failures import checked_check
from kcompare.cli.failures import InternalError
from kcompare.report.check_document import check_document
from kcompare.report.check_text import check_line, check_text
from kcompare.report.json import check_json
from kcompare.report.jsonl import check_jsonl
from kcompare.report.schemas import load
from tests.unit.check_samples import CHECKS, check_damaged, check_sound
from tests.unit.test_report_text import compare_with_golden

VALIDATOR = Draft202012Validator(load("check"), format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize(("name", "make"), CHECKS.items())
def test_checks_read_as_their_golden_files(name: str, make: Callable[[], CheckReport]) -> None:
    compare_with_golden(name, check_text(make()))


@pytest.mark.parametrize("make", CHECKS.values())
def test_every_document_fits_the_schema(make: Callable[[], CheckReport]) -> None:
    document = json.loads(check_json(make()))
    VALIDATOR.validate(document)
    assert document == json.loads(json.dumps(check_document(make())))


@pytest.mark.parametrize("change", [{"verdict": "DAMAGED"}, {"exit_code": 7}, {"findings": [{}]}, {"run": None}])
def test_the_schema_refuses_what_is_no_report(change: dict[str, object]) -> None:
    assert VALIDATOR.is_valid(check_document(check_sound()))
    assert not VALIDATOR.is_valid(check_document(check_sound()) | change)


def test_json_lines_have_one_finding_a_line_and_the_summary_last() -> None:
    lines = [json.loads(line) for line in check_jsonl(check_damaged()).splitlines()]
    assert [line["type"] for line in lines] == ["partition"] * 3 + ["finding"] * 4 + ["summary"]
    assert {line["schema"] for line in lines} == {"kcompare.check/1"}
    whole = check_document(check_damaged())
    assert [{k: v for k, v in line.items() if k not in {"schema", "type"}} for line in lines[3:7]] == whole["findings"]
    assert "findings" not in lines[-1]
    assert "partitions" not in lines[-1]["topics"][0]


@pytest.mark.parametrize("make", CHECKS.values())
def test_the_first_line_is_the_verdict(make: Callable[[], CheckReport]) -> None:
    line = check_text(make()).splitlines()[0]
    assert line.startswith(make().verdict or "NOT CHECKED")
    assert check_line(make()) == line + "\n"
    assert len(check_line(make(), colour=True)) >= len(line)


def test_bytes_of_a_path_reach_no_terminal_raw() -> None:
    report = check_damaged()
    evil = tuple(replace(one, path="/a\x1b]0;x\x07\u202e", detail="\x1b[2J") for one in report.findings)
    text = check_text(replace(report, findings=evil))
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(("name", "make"), CHECKS.items())
def test_what_the_engine_may_say_passes(name: str, make: Callable[[], CheckReport]) -> None:
    assert checked_check(make()) == make(), name


def sound_beside(**change: object) -> CheckReport:
    (topic,) = check_sound().topics
    first = replace(topic.partitions[0], **change)  # type: ignore[arg-type]
    return replace(check_sound(), topics=(replace(topic, partitions=(first, *topic.partitions[1:])),))


@pytest.mark.parametrize(
    "report",
    [
        replace(check_sound(), exit_code=3),
        replace(check_sound(), exit_code=130),
        replace(check_sound(), topics=()),
        replace(check_sound(), topics=(replace(check_sound().topics[0], partitions=()),)),
        replace(check_sound(), findings=(replace(check_sound().findings[0], effect=CheckEffect.DEFECT),)),
        replace(check_sound(), findings=(replace(check_sound().findings[0], effect=CheckEffect.UNVERIFIED),)),
        sound_beside(verdict=Soundness.INCONCLUSIVE),
        sound_beside(coverage=None),
        replace(check_damaged(), exit_code=0),
        replace(check_damaged(), verdict=None),
    ],
)
def test_a_report_that_contradicts_itself_never_leaves(report: CheckReport) -> None:
    with pytest.raises(InternalError, match="contradicts itself"):
        checked_check(report)
