"""How many instructions the hot loop takes for a record: the same on every machine, however busy it is.

    python -m benches.instructions      # prints Markdown

`rust/kcompare-core/examples/hot_loop.rs` goes over the same batches once and then three times under callgrind; half of
the difference is one pass. Valgrind emulates a processor with AVX2 and without AVX-512, so this is the code that such a
processor runs. The kernel's part is not in it: this is memory only.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from benches.render import markdown

if TYPE_CHECKING:
    from benches.render import Table

ROOT = Path(__file__).parents[1]
HOT_LOOP = ROOT / "target" / "release" / "examples" / "hot_loop"
LOOPS = ("decode", "digest")
SIZES = (100, 1000)
CODECS = ("none", "lz4", "zstd")
# RECORDS of hot_loop.rs.
RECORDS = 10_000
PASSES = (1, 3)


def build() -> None:
    """Builds the loop as the wheel is built."""
    command = ["cargo", "build", "--release", "--locked", "--quiet", "-p", "kcompare-core", "--example", "hot_loop"]
    subprocess.run(command, cwd=ROOT, check=True)


def instructions(loop: str, size: int, codec: str, passes: int) -> int:
    """Runs the loop under callgrind and returns how many instructions the whole program took."""
    with tempfile.TemporaryDirectory() as folder:
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.out"]
        command = [*valgrind, str(HOT_LOOP), loop, str(size), codec, str(passes)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return collected(done.returncode, done.stderr)


def collected(exit_code: int, stderr: str) -> int:
    """Reads the count from what callgrind prints; pure."""
    found = re.search(r"Collected : (\d+)", stderr)
    if exit_code != 0 or found is None:
        raise RuntimeError(f"callgrind ended with exit code {exit_code}: {stderr[-300:]}")
    return int(found[1])


def per_record(counts: tuple[int, int]) -> float:
    """Returns the instructions for one record from those of the two runs; pure."""
    return (counts[1] - counts[0]) / ((PASSES[1] - PASSES[0]) * RECORDS)


def measure(loop: str, size: int, codec: str) -> float:
    """Returns the instructions for one record."""
    first, second = (instructions(loop, size, codec, passes) for passes in PASSES)
    return per_record((first, second))


def main() -> int:
    """Prints a table with a line for each loop and size."""
    for program in ("valgrind", "cargo"):
        if shutil.which(program) is None:
            print(f"not available: {program} is not on PATH, so no instructions are counted", file=sys.stderr)
            return 1
    build()
    lines = [(loop, size) for loop in LOOPS for size in SIZES]
    with ThreadPoolExecutor(2) as threads:
        counting = {
            (loop, size, codec): threads.submit(measure, loop, size, codec) for loop, size in lines for codec in CODECS
        }
        table: Table = [("instructions per record", *CODECS)]
        for loop, size in lines:
            cells = [f"{counting[loop, size, codec].result():,.0f}" for codec in CODECS]
            table.append((f"{loop}, {size} B", *cells))
    print(markdown(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
