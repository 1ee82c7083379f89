"""docs/traps.md against the tests: every test that it names exists, and no trap is without one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAPS = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`([\w/.-]+)::(\w+)`")
RUST_TEST = re.compile(r"#\[test\]\s+(?:#\[[^\]]*\]\s+)*fn (\w+)\(")


def rows() -> list[tuple[str, str]]:
    """Each row below the heads of the tables: the trap, and the cell of its tests."""
    cells = [line.strip().strip("|").split(" | ") for line in TRAPS.splitlines() if line.startswith("| ")]
    return [(trap.strip(), tests.strip()) for trap, tests in cells if trap.strip() != "trap"]


def names_in(path: Path) -> set[str]:
    """The names of the tests that a file runs."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".rs":
        return set(RUST_TEST.findall(text))
    return {
        node.name
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize(("trap", "tests"), rows(), ids=lambda cell: cell[:40])
def test_every_trap_has_tests_that_exist(trap: str, tests: str) -> None:
    named = NAMED.findall(tests)
    assert named, f"no test is named for: {trap}"
    # Nothing else stands in the cell, such as a name that is misspelt too much to be found as one.
    assert NAMED.sub("", tests).replace(",", "").strip() == ""
    for path, name in named:
        assert (ROOT / path).is_file(), path
        assert name in names_in(ROOT / path), f"{path} has no test {name}"


def test_the_page_is_the_table_that_it_claims_to_be() -> None:
    assert len(rows()) > 60
    assert len({trap for trap, _ in rows()}) == len(rows())
    assert re.findall(r"^## (.*)$", TRAPS, re.MULTILINE) == [
        "Reading a log",
        "A living cluster",
        "librdkafka as used from Python",
        "Comparing",
        "Showing",
    ]


def test_a_name_that_no_test_has_is_noticed() -> None:
    """The two parsers find tests and nothing else."""
    python = names_in(Path(__file__))
    assert "test_a_name_that_no_test_has_is_noticed" in python
    assert "rows" not in python
    rust = names_in(ROOT / "rust/kcompare-core/tests/records/roundtrip.rs")
    assert {"v2", "timestamps_farther_apart_than_32_bits"} <= rust
    assert "push" not in rust
