"""The JSON documents: held to their schemas, to each other, and to the order of findings."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kcompare.model import Effect, Finding, FindingKind, OffsetRange, Report, TailReport
from kcompare.report.document import ordered, report_document
from kcompare.report.json import report_json, tail_json
from kcompare.report.jsonl import report_jsonl, tail_jsonl
from kcompare.report.schemas import load
from kcompare.report.tail_document import tail_document
from tests.unit.report_samples import REPORTS, RUN, TAILS, different_changed, equal_with_tail, tail_of_seed

Samples = pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
Tails = pytest.mark.parametrize("make", TAILS.values(), ids=TAILS)


def strict(schema: Any) -> Any:
    """The same schema with every key refused that it does not describe, so that no document outgrows it."""
    if isinstance(schema, list):
        return [strict(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if schema.get("type") == "object":
        closed["additionalProperties"] = False
    return closed


@pytest.mark.parametrize("name", ["report", "tail"])
def test_the_schemas_are_schemas(name: Any) -> None:
    Draft202012Validator.check_schema(load(name))


@Samples
def test_reports_keep_their_schema_and_nothing_else(make: Callable[[], Report]) -> None:
    document = json.loads(report_json(make()))
    Draft202012Validator(strict(load("report"))).validate(document)


@Tails
def test_tails_keep_their_schema_and_nothing_else(make: Callable[[], TailReport]) -> None:
    document = json.loads(tail_json(make()))
    Draft202012Validator(strict(load("tail"))).validate(document)


@pytest.mark.parametrize(
    ("verdict", "exit_code"),
    [("DIFFERENT", 0), ("INCONCLUSIVE", 0), ("EQUAL", 1), ("EQUAL", 2), (None, 3), (None, 0)],
)
def test_the_schema_refuses_a_verdict_that_does_not_go_with_its_exit_code(verdict: str | None, exit_code: int) -> None:
    document = report_document(equal_with_tail()) | {"verdict": verdict, "exit_code": exit_code}
    assert not Draft202012Validator(load("report")).is_valid(document)


def test_the_schema_requires_every_key() -> None:
    """Leaves each key of a rich document out once, whatever its depth."""
    validator = Draft202012Validator(load("report"))
    whole = json.loads(report_json(different_changed()))
    paths = list(_paths(whole))
    assert len(paths) > 100
    for path in paths:
        document = deepcopy(whole)
        holder = document
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
        assert not validator.is_valid(document), path


def _paths(value: Any, front: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, list):
        return [path for index, entry in enumerate(value) for path in _paths(entry, (*front, index))]
    if isinstance(value, dict):
        return [path for key, entry in value.items() for path in [(*front, key), *_paths(entry, (*front, key))]]
    return []


def test_the_document_is_the_contract() -> None:
    document = json.loads(report_json(equal_with_tail()))
    assert (document["schema"], document["verdict"], document["exit_code"]) == (
        "kcompare.report/1",
        "EQUAL",
        0,
    )
    assert document["options"]["allow_tail"] == "right"
    partition = document["topics"][0]["partitions"][0]
    assert partition["left"]["planned"] == [0, 1_233_046]
    assert partition["right"]["allowed_offsets"] == 330_529
    assert partition["offsets"] == {"relation": "identical", "shift": 0, "segments": 1}
    finding = partition["findings"][0]
    assert (finding["kind"], finding["where"], finding["effect"]) == ("only_right", "tail", "allowed")
    assert (finding["left"], finding["right"], finding["records"]) == (None, [1_233_046, 1_563_575], 330_529)


def test_differences_come_first_and_then_offsets() -> None:
    partition = report_document(different_changed())["topics"][0]["partitions"][1]
    assert [finding["kind"] for finding in partition["findings"]] == ["duplicated", "changed"]
    assert partition["findings_truncated"] is True
    assert partition["first_divergence"]["fields"] == ["value", "timestamp"]


FINDING = st.builds(
    Finding,
    st.sampled_from(FindingKind),
    st.sampled_from(Effect),
    st.integers(0, 3),
    st.one_of(st.none(), st.integers(0, 5).map(lambda start: OffsetRange(start, start + 1))),
    st.one_of(st.none(), st.integers(0, 5).map(lambda start: OffsetRange(start, start + 1))),
)


@given(st.lists(FINDING), st.randoms())
def test_the_order_of_findings_does_not_hang_on_how_they_came(findings: list[Finding], random: Any) -> None:
    shuffled = list(findings)
    random.shuffle(shuffled)
    assert [_sorted_by(finding) for finding in ordered(shuffled)] == [
        _sorted_by(finding) for finding in ordered(findings)
    ]
    effects = [finding.effect is Effect.DIFFERENCE for finding in ordered(findings)]
    assert effects == sorted(effects, reverse=True)


def _sorted_by(finding: Finding) -> tuple[Any, ...]:
    """Where a range ends is no part of the order, since findings of one kind do not overlap."""
    starts = (finding.left and finding.left.start, finding.right and finding.right.start)
    return finding.kind, finding.effect, finding.partition, *starts


@Samples
def test_json_lines_hold_the_document(make: Callable[[], Report]) -> None:
    report = make()
    *partitions, summary = (json.loads(line) for line in report_jsonl(report).splitlines())
    document = report_document(report)
    assert summary == {**document, "type": "summary"} | {
        "topics": [{key: value for key, value in topic.items() if key != "partitions"} for topic in document["topics"]]
    }
    expected = [
        {
            "schema": "kcompare.report/1",
            "type": "partition",
            "topic": {"left": topic["left"], "right": topic["right"]},
            **partition,
        }
        for topic in document["topics"]
        for partition in topic["partitions"]
    ]
    assert partitions == expected


@Tails
def test_json_lines_hold_the_tail(make: Callable[[], TailReport]) -> None:
    report = make()
    *partitions, summary = (json.loads(line) for line in tail_jsonl(report).splitlines())
    document = tail_document(report)
    assert [partition["partition"] for partition in partitions] == [
        partition["partition"] for view in document["views"] for partition in view["partitions"]
    ]
    assert summary["views"][0]["common_prefix_stop"] == document["views"][0]["common_prefix_stop"]
    assert (summary["type"], summary["schema"]) == ("summary", "kcompare.tail/1")


def test_null_is_not_empty_and_no_timestamp_is_null() -> None:
    records = tail_document(tail_of_seed(values=True))["views"][0]["partitions"][0]["records"]
    assert [record["key_bytes"] for record in records] == [6, None, 0]
    assert [record["timestamp"] is None for record in records] == [False, True, False]
    assert records[0]["value_text"].endswith("é")
    assert "key_text" not in records[1]
    assert records[1]["value_base64"].startswith("G10wO293bmVkB///")
    assert records[2]["key_text"] == ""
    assert "value_text" not in records[2]


@Samples
def test_json_is_ascii_whatever_it_holds(make: Callable[[], Report]) -> None:
    text = report_json(make())
    assert text.isascii()
    assert "\x7f" not in text
    assert text.replace("\n", "").isprintable()
    assert text.endswith("}\n")


def test_a_lone_surrogate_does_not_reach_json() -> None:
    report = replace(equal_with_tail(), notes=("a\udcffb",))
    assert json.loads(report_json(report))["notes"] == ["a\\xffb"]


def test_a_rate_over_no_time_is_zero() -> None:
    report = replace(equal_with_tail(), run=replace(RUN, seconds=0.0, records_per_second=float("inf")))
    assert json.loads(report_json(report))["run"]["records_per_second"] == 0.0
