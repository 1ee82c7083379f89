"""The examples of the documentation are executed: a number that the code does not give fails here."""

import doctest
from pathlib import Path

import xxhash

from kcompare import _native
from kcompare.store import tables

DOCS = Path(__file__).parents[2] / "docs"
FRUIT = (b"apple", b"pear", b"fig", b"plum", b"lime", b"kiwi", b"date", b"lemon")


def test_the_worked_example_gives_its_numbers() -> None:
    found = doctest.testfile(str(DOCS / "algorithm.md"), module_relative=False)
    assert found.attempted > 15
    assert found.failed == 0


def test_the_native_digest_is_that_of_the_worked_example() -> None:
    text = (DOCS / "algorithm.md").read_text()
    seed = int.from_bytes(b"kcompare", "little")
    assert seed == _native.DEFAULT_SEED
    rows = b""
    for offset, name in enumerate(FRUIT):
        row = tables.records(bytes(_native.ROW_BYTES)).copy()
        digest = xxhash.xxh3_128_intdigest(b"\x01" + bytes([2 * len(name)]) + name + b"\x00", seed=seed)
        row["offset"] = offset
        row["content"][0] = (digest & (2**64 - 1), digest >> 64)
        rows += row.tobytes()
    lanes = _native.extend_lanes(lanes=None, rows=rows)
    assert int.from_bytes(lanes[:8], "little") == len(FRUIT)
    assert hex(int.from_bytes(lanes[8:24], "little")) in text


def test_the_file_map_names_every_file_of_the_product() -> None:
    root = DOCS.parent
    text = (DOCS / "architecture.md").read_text()
    sources = [*root.glob("python/kcompare/**/*.py"), *root.glob("rust/kcompare-*/src/**/*.rs")]
    skipped = {"__init__.py", "mod.rs", "lib.rs"}
    missing = [
        path
        for path in sources
        if path.name not in skipped and not path.name.endswith("tests.rs") and "tests" not in path.parts
    ]
    assert len(missing) > 80
    assert [str(path) for path in missing if path.name not in text] == []
