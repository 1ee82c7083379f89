"""Tables of a result, for a terminal and for docs/performance.md. Pure but for `main`.

python -m benches.render result.json      # prints Markdown
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benches.summary import case_from, ratio, summarize
from benches.targets import times, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benches.summary import Case, RowSummary, Spread

PRODUCT = "kcompare"
ROW_HEAD = (
    "row",
    "records, both sides",
    "million records/s",
    "kcompare / row",
    "start-up s",
    "CPU s",
    "peak RSS MB",
    "correct",
)
TARGET_HEAD = ("case", "target", "wanted", "measured", "met")

Table = list[tuple[str, ...]]


def row_table(case: Case) -> Table:
    """Returns the head and a line for each row of a case."""
    return [ROW_HEAD, *(_line(case, row) for row in summarize(case).values())]


def _line(case: Case, row: RowSummary) -> tuple[str, ...]:
    correct = "yes" if row.correct else f"NO: {'; '.join(row.complaints)}"
    if row.records_per_second is None:
        return (row.row, *[""] * (len(ROW_HEAD) - 2), correct)
    measured = ratio(case, PRODUCT, row.row)
    return (
        row.row,
        f"{row.records:,}",
        _range(row.records_per_second, 1e6),
        "" if measured is None else times(measured),
        _range(row.startup_seconds, 1),
        f"{row.cpu_seconds:.1f}",
        f"{row.peak_rss_bytes / 1e6:.0f}",
        correct,
    )


def _range(numbers: Spread | None, unit: float) -> str:
    if numbers is None:
        return ""
    return f"{numbers.median / unit:.2f} ({numbers.low / unit:.2f} - {numbers.high / unit:.2f})"


def target_table(cases: Iterable[Case], asked: Sequence[str]) -> Table:
    """Returns the head and a line for each target."""
    lines = [
        (each.case, each.target, each.wanted, each.measured, "yes" if each.passed else _no(each.why_not))
        for case in cases
        for each in verdicts(case, asked)
    ]
    return [TARGET_HEAD, *lines]


def _no(why_not: str) -> str:
    return f"NO: {why_not}" if why_not else "NO"


def heading(case: Case) -> str:
    """One line on what was read."""
    stored = case.stored_bytes / max(2 * 3 * case.records, 1)
    return f"{case.name}: 3 x {case.records:,} records on either side, {stored:.0f} B a record on disk"


def terminal(table: Table) -> str:
    """Renders a table in columns."""
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in table
    )


def markdown(table: Table) -> str:
    """Renders a table in Markdown."""
    head, *lines = [[cell.replace("|", "\\|") for cell in line] for line in table]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *lines])


def page(document: Mapping[str, object], cases: Sequence[Case], asked: Sequence[str]) -> str:
    """Renders everything that docs/performance.md takes from a result."""
    rounds = max((each.round for case in cases for each in case.samples), default=0)
    parts = [f"Measured {document['began']}, rounds: {rounds}. {machine(document)}"]
    for case in cases:
        parts += [f"### {heading(case)}", markdown(row_table(case))]
    parts += ["### Targets", markdown(target_table(cases, asked))]
    return "\n\n".join(parts)


def machine(document: Mapping[str, object]) -> str:
    """Says on what a result was measured."""
    found = document["machine"]
    if not isinstance(found, dict):
        raise TypeError(f"'machine' is {found!r}, not an object")
    return (
        f"{found['cpus']} CPUs ({found['cpu']}), {found['memory_gib']} GiB, {found['system']}, Kafka {found['kafka']}, "
        f"Python {found['python']}; commit {found['commit']}; load average before the run {found['load_before']:.1f}."
    )


def main() -> int:
    """Prints the tables of a result in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("result", type=Path, help="what end_to_end wrote with --json")
    document = json.loads(parser.parse_args().result.read_text())
    print(page(document, [case_from(each) for each in document["cases"]], document["options"]["rows"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
