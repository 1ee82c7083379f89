"""Whether a row's own answer is right: how many records it read, and what was in them. Pure.

Every check returns what is wrong, or nothing. Counts and digests are held against what was written, not only left
against right: two sides that are both misread alike are no right answer.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benches.payload import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from benches.measure import Run
    from benches.payload import Expected

    Check = Callable[[Run, Expected], str]


def reader(*, counts: bool, form: str | None) -> Check:
    """Of a program that prints {"counts": [[...], [...]], "digests": the same}: a list of partitions for each side.

    Args:
        counts: Whether it counts. A shell pipeline need not: an md5 of so many lines is of no other number of them.
        form: How records become the bytes that are hashed; None for a reader that hashes nothing.
    """
    if not counts and form is None:
        raise ValueError("a reader that neither counts nor hashes gives no answer that could be checked")

    def check(run: Run, expected: Expected) -> str:
        answer = _answer(run)
        if isinstance(answer, str):
            return answer
        wanted: dict[str, object] = {}
        if counts:
            wanted["counts"] = [[expected.records] * len(PARTITIONS)] * 2
        if form is not None:
            wanted["digests"] = [expected.digests(form)] * 2
        wrong = [
            f"{key} are {answer.get(key)}, not {value}" for key, value in wanted.items() if answer.get(key) != value
        ]
        return "; ".join(wrong)

    return check


def perf_test(run: Run, expected: Expected) -> str:
    """Of two ConsumerPerformance, a line of figures each: megabytes are the third of them, records the fifth."""
    if run.exit_code != 0:
        return exit_complaint(run)
    wanted = (expected.payload_bytes / (1 << 20), expected.records * len(PARTITIONS))
    found = []
    for line in run.stdout.splitlines():
        cells = line.split(", ")
        if len(cells) < 5:
            return f"a line is {line!r}"
        found.append((float(cells[2]), int(cells[4])))
    # It prints four digits behind the point.
    if len(found) == 2 and all(abs(size - wanted[0]) < 1e-3 and count == wanted[1] for size, count in found):
        return ""
    return f"(MiB, records) of the sides are {found}, not {wanted} twice"


def comparison(data_path: str) -> Check:
    """Of the product: EQUAL, every record of both sides compared, by the data path that the row speaks of."""

    def check(run: Run, expected: Expected) -> str:
        report = _answer(run)
        if isinstance(report, str):
            return report
        partitions = [each for topic in report["topics"] for each in topic["partitions"]]
        compared = {each["partition"]: each["compared_records"] for each in partitions}
        wrong = []
        if report["verdict"] != "EQUAL":
            errors = "; ".join(str(error["message"]) for error in report["errors"])
            wrong.append(f"the verdict is {report['verdict']}: {errors}")
        if compared != dict.fromkeys(PARTITIONS, expected.records):
            wrong.append(f"compared records are {compared}, not {expected.records} in each of {list(PARTITIONS)}")
        paths = [_data_path(report, side) for side in ("left", "right")]
        if paths != [data_path] * 2:
            wrong.append(f"the data paths are {paths}, not {data_path!r} twice")
        return "; ".join(wrong)

    return check


def _data_path(report: dict[str, Any], side: str) -> object:
    """Returns what the report says of a side; one that speaks of both at once does so among its options."""
    for place in (report.get(side), report.get("options")):
        if isinstance(place, dict) and "data_path" in place:
            return place["data_path"]
    return None


def _answer(run: Run) -> dict[str, Any] | str:
    """Returns the object that a program printed, or what is wrong instead."""
    if run.exit_code != 0:
        return exit_complaint(run)
    try:
        answer = json.loads(run.stdout)
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else f"no JSON object on stdout: {run.stdout[:80]!r}"


def exit_complaint(run: Run) -> str:
    """Returns the exit code with the last line of stderr."""
    lines = [line for line in run.stderr.splitlines() if line.strip()]
    return f"exit code {run.exit_code}: {lines[-1] if lines else 'nothing on stderr'}"
