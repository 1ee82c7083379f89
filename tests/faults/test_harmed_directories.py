"""Directories harmed at random, on one side or the same on both: what is lost is never EQUAL, and never SOUND."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from kcompare.check_model import Soundness
from kcompare.model import IsolationLevel, Verdict
from tests.support.checks import run_check, the_partition
from tests.support.clusters import only, run
from tests.support.log_directories import LogDirectory
from tests.support.logs import CODECS, Log, numbered

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = range(160)
SUFFIXES = (".deleted", ".cleaned", ".swap")
HARMS = (
    "flip",
    "flip",
    "flip",
    "cut",
    "zeros",
    "hole",
    "noise",
    "more",
    "twice",
    "emptied",
    "remove",
    "swap",
    "rename",
)


def random_log(chance: random.Random) -> Log:
    """Batches of every codec, some of them in transactions, committed or not."""
    log = Log()
    for _ in range(chance.randint(1, 12)):
        count = chance.randint(1, 30)
        records = numbered(count, log.end)
        cuts = chance.sample(range(count), chance.randint(0, min(count, 6)))
        codecs = [chance.choice(CODECS) for _ in range(3)]
        if chance.random() < 0.3:
            outcome, producer = chance.random() < 0.5, chance.choice([7, 8])
            log.transaction(records, committed=outcome, producer_id=producer, cuts=cuts, codecs=codecs)
        else:
            log.write(records, cuts=cuts, codecs=codecs)
    return log


def harm(chance: random.Random, directories: list[LogDirectory]) -> str:
    """Does the same harm to a segment file of each directory, which are alike; gives its kind."""
    kind = chance.choice([*HARMS, *SUFFIXES])
    files = [path.name for path in directories[0].segments()]
    if not files:
        return "nothing left"
    name, other = chance.choice(files), chance.choice(files)
    size = (directories[0].directory() / name).stat().st_size
    at, length = chance.randrange(max(size, 1)), chance.choice([1, 8, 61, 200, 4096])
    bit, noise, shift = 1 << chance.randrange(8), chance.randbytes(length), chance.choice([-3, 1, 7, 40])
    for directory in directories:
        path = directory.directory() / name
        second = directory.directory() / other
        moved = directory.segment("t", 0, max(0, int(path.stem) + shift))
        data = path.read_bytes()
        if kind == "remove":
            path.unlink()
        elif kind in SUFFIXES:
            path.rename(path.with_name(path.name + kind))
        elif kind == "rename" and not moved.exists():
            path.rename(moved)
        elif kind == "swap":
            path.write_bytes(second.read_bytes())
            second.write_bytes(data)
        else:
            path.write_bytes(harmed(data, kind, at, length, bit, noise))
    return kind


def harmed(data: bytes, kind: str, at: int, length: int, bit: int, noise: bytes) -> bytes:
    """The bytes of a file, harmed; as they are for a kind that harms files themselves."""
    size = min(length, len(data) - at)
    changed = {
        "flip": data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :] if data else data,
        "cut": data[:at],
        "zeros": data + bytes(length),
        "hole": data[:at] + bytes(size) + data[at + size :],
        "noise": data[:at] + noise[:size] + data[at + size :],
        "more": data + noise,
        "twice": data + data,
        "emptied": b"",
    }
    return changed.get(kind, data)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_lost_is_never_equal_and_never_sound(tmp_path: Path, seed: int) -> None:
    """The log start is written down, and up to where the log was flushed; only what lies past that may be an end."""
    chance = random.Random(seed)
    log = random_log(chance)
    directories = [LogDirectory(tmp_path / name, cluster_id=name) for name in ("left", "right")]
    segment, flushed = chance.randint(1, 8), chance.choice([log.end, log.end, log.end // 2, 0])
    views = [directory.create([log], segment=segment) for directory in directories]
    for directory in directories:
        directory.checkpoint("start", 0)
        directory.checkpoint("recovery", flushed)
    if chance.random() < 0.2:
        for directory in directories:
            directory.shut_down()
    both = chance.random() < 0.6
    harms = [harm(chance, directories if both else directories[:1]) for _ in range(chance.choice([1, 1, 2]))]
    isolation = chance.choice(list(IsolationLevel))
    report = run(*views, left_isolation=isolation, right_isolation=isolation)
    covered = only(report).left
    stop = log.end if covered is None else covered.high_watermark
    if report.verdict is Verdict.EQUAL:
        assert stop >= flushed, harms
        assert report.totals.compared_records == below(log, stop, isolation), harms
        assert both or report.totals.compared_records == below(log, log.end, isolation), harms
    if both:
        assert report.verdict is not Verdict.DIFFERENT, harms
    checked = run_check(views[0])
    if checked.verdict is Soundness.SOUND:
        found = the_partition(checked).coverage
        assert found is not None
        assert found.high_watermark >= flushed, harms
        assert found.records == below(log, found.high_watermark, IsolationLevel.READ_UNCOMMITTED), harms


def below(log: Log, stop: int, isolation: IsolationLevel) -> int:
    """Records below an offset."""
    return sum(record.offset < stop for record in log.records(isolation))
