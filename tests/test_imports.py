"""Imports go down only: runs the contracts of pyproject.toml and says in which file and line one breaks."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# lint-imports prints each illegal import as "kcompare.a.b -> kcompare.c (l.12, l.40)".
IMPORT = re.compile(r"(kcompare[\w.]*) -> ([\w.]+) \(l\.(\d+)")


def broken_imports(root: Path) -> list[str]:
    """Returns "file:line imports module" for every import below `root` that a contract forbids."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    done = subprocess.run(
        [*command, "--no-cache", "--no-logo", "--config", str(root / "pyproject.toml")],
        cwd=root,
        env={"PYTHONPATH": str(root / "python"), "NO_COLOR": "1", "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = []
    for importer, imported, line in IMPORT.findall(done.stdout):
        base = root / "python" / Path(*importer.split("."))
        file = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        found.append(f"{file.relative_to(root)}:{line} imports {imported}")
    # A contract that cannot be checked at all is as bad as a broken one.
    assert found or done.returncode == 0, done.stdout + done.stderr
    return found


def test_imports_go_down_only() -> None:
    assert broken_imports(ROOT) == []


@pytest.mark.parametrize(
    ("module", "line", "imported"),
    [
        ("model", "from kcompare import errors", "kcompare.errors"),
        ("settings/views", "import kcompare.report", "kcompare.report"),
        ("report/json", "import kcompare.errors", "kcompare.errors"),
        ("report/json", "import typer", "typer"),
        ("settings/views", "def late():\n    import confluent_kafka", "confluent_kafka"),
    ],
)
def test_a_line_that_breaks_a_contract_is_named(tmp_path: Path, module: str, line: str, imported: str) -> None:
    shutil.copytree(ROOT / "python" / "kcompare", tmp_path / "python" / "kcompare")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / "python" / "kcompare" / f"{module}.py"
    text = file.read_text().rstrip("\n") + f"\n{line}\n"
    file.write_text(text)
    place = f"python/kcompare/{module}.py:{len(text.splitlines())}"
    assert f"{place} imports {imported}" in broken_imports(tmp_path)


def test_a_module_without_a_place_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "python" / "kcompare", tmp_path / "python" / "kcompare")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "python" / "kcompare" / "helpers.py").write_text("")
    with pytest.raises(AssertionError, match="helpers"):
        broken_imports(tmp_path)
