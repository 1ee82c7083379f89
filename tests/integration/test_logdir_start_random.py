"""What a start is said to do to thousands of damaged directories is what Kafka's own loader does to copies of them."""

from __future__ import annotations

import hashlib
import random
import shutil
from typing import TYPE_CHECKING, NamedTuple

from kcompare import _native
from tests.integration.kafka.loader import Loaded, LoadOrder, load
from tests.integration.partition_dirs import Layout, Stored, damage, sound_batches, write_partition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SEED = 20_261_125
CASES = 800


class Case(NamedTuple):
    """A damaged directory and what stands around it."""

    name: str
    order: LoadOrder
    sound: list[Stored]


def make(folder: Path, seed: int) -> Case:
    chance = random.Random(seed)
    directory = folder / str(seed) / "t-0"
    layout = write_partition(directory, chance)
    names = damage(directory, layout, chance)
    clean, recovery_point, log_start = _surroundings(layout, chance)
    sound = sound_batches(directory)
    order = LoadOrder(directory, clean, recovery_point, log_start, tuple({batch.base_offset for batch in sound}))
    what = f"seed {seed}: {', '.join(names)}; clean {clean}, recovery point {recovery_point}, log start {log_start}"
    return Case(what, order, sound)


def _surroundings(layout: Layout, chance: random.Random) -> tuple[bool, int, int]:
    end = layout.end
    recovery_points = [0, 0, end, layout.bases[-1], chance.randrange(end + 1), end + 10]
    log_starts = [0, 0, 0, layout.bases[0], chance.randrange(end + 1), end, end + 5]
    return chance.random() < 0.4, chance.choice(recovery_points), chance.choice(log_starts)


def simulate(order: LoadOrder) -> _native.BrokerStart:
    return _native.start_of_directory(
        path=str(order.directory),
        clean_shutdown=order.clean_shutdown,
        recovery_point=order.recovery_point,
        log_start_checkpoint=order.log_start_checkpoint,
        cancel=_native.CancelToken(),
    )


def within(losses: Iterable[_native.StartLoss], batch: Stored) -> bool:
    return any(
        loss.file == batch.file and loss.position <= batch.position and batch.end <= loss.end_position
        for loss in losses
    )


def discarded_by(loaded: Loaded, case: Case, start: _native.BrokerStart) -> set[Stored]:
    """The sound batches that were in the log's files and are not in what the loader left."""
    left = loaded.segments or {}
    gone = {name for name, _, _ in start.deleted_files}
    return {
        batch
        for batch in case.sound
        if batch.file not in gone and batch.end > left.get(int(batch.file.partition(".")[0]), 0)
    }


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def complaint(case: Case, start: _native.BrokerStart, loaded: Loaded) -> str:
    """What is wrong with a simulation; empty if nothing is."""
    if bool(loaded.refused) != (start.refused is not None):
        return f"{case.name}: Kafka says {loaded.refused!r}, the simulation {start.refused!r}"
    theirs = loaded.log_start_offset, loaded.log_end_offset
    ours = start.log_start_offset, start.log_end_offset
    if not loaded.refused and theirs != ours:
        return f"{case.name}: Kafka's log is {theirs}, the simulation's {ours}"
    if loaded.refused or any(base not in {base_of(each) for each in case.sound} for base in loaded.segments or {}):
        # A split, or a new and empty segment: the files have other names now, so that sizes tell nothing.
        return ""
    return difference(case, start, loaded)


def difference(case: Case, start: _native.BrokerStart, loaded: Loaded) -> str:
    """What is wrong with what a start is said to discard and to hide."""
    expected = discarded_by(loaded, case, start)
    found = {batch for batch in case.sound if within(start.discarded, batch)}
    counts = sum(loss.batches for loss in start.discarded), sum(loss.records for loss in start.discarded)
    wanted = len(expected), sum(batch.records for batch in expected)
    if (expected, wanted) != (found, counts):
        return f"{case.name}: Kafka discards {sorted(expected)}, the simulation {sorted(found)} {counts}"
    nowhere, hidden = unreachable(loaded, case, start, expected), hidden_by(case, start)
    if nowhere != hidden:
        return f"{case.name}: no fetch finds {sorted(nowhere)}, the simulation hides {sorted(hidden)}"
    return ""


def base_of(batch: Stored) -> int:
    return int(batch.file.partition(".")[0])


def unreachable(loaded: Loaded, case: Case, start: _native.BrokerStart, discarded: set[Stored]) -> set[Stored]:
    """The sound batches that are left above the log start, and at which no fetch begins that asks for their offset."""
    gone = {name for name, _, _ in start.deleted_files}
    left = [batch for batch in case.sound if batch.file not in gone and batch not in discarded]
    offsets = {(base_of(batch), batch.position): batch[3:] for batch in left}
    places = loaded.found or {}
    return {
        batch
        for batch in left
        if batch.base_offset >= loaded.log_start_offset and batch.base_offset in places
        # A second batch with the same offsets counts as the first.
        if offsets.get(places[batch.base_offset] or (-1, -1)) != batch[3:]
    }


def hidden_by(case: Case, start: _native.BrokerStart) -> set[Stored]:
    """The batches above the log start that are said to be out of reach."""
    return {
        batch for batch in case.sound if batch.base_offset >= start.log_start_offset and within(start.hidden, batch)
    }


def test_a_simulated_start_is_the_loader_s(tmp_path: Path) -> None:
    cases = [make(tmp_path / "damaged", SEED + number) for number in range(CASES)]
    before = fingerprint(tmp_path / "damaged")
    starts = [simulate(case.order) for case in cases]
    assert fingerprint(tmp_path / "damaged") == before
    shutil.copytree(tmp_path / "damaged", tmp_path / "loaded")
    orders = [
        case.order._replace(directory=tmp_path / "loaded" / case.order.directory.relative_to(tmp_path / "damaged"))
        for case in cases
    ]
    loaded = load(orders)
    complaints = [complaint(*each) for each in zip(cases, starts, loaded, strict=True)]
    assert [each for each in complaints if each] == []
    # Random damage that harms nothing, or always the same way, would prove little.
    assert sum(bool(each.refused) for each in loaded) > CASES / 50
    assert sum(bool(start.discarded) for start in starts) > CASES / 5
    assert sum(bool(start.hidden) for start in starts) > CASES / 40
