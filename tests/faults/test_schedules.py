"""Random topics under random faults: whatever happens, the verdict is never wrong and the run ends.

``python -m tests.faults.schedules --seeds 200`` tries more seeds, and holds them to time and memory, too.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.clusters import FETCH
from tests.support.hooks import Hooks, install
from tests.support.schedules import RECREATED, outcome_of, problems, schedule_of, staged

if TYPE_CHECKING:
    from kcompare.model import View

SEEDS = range(60)
ACTIONS = {
    "close",
    "close_mid_response",
    "delay",
    "empty",
    "error_code",
    "flip_byte",
    "garbage",
    "lie_high_watermark",
    "lie_log_start",
    "move_leader",
    "replace_records",
    "slow_bytes",
    "stall",
    "throttle",
    "truncate_records",
    "wrong_correlation_id",
}
"""Everything that the scripted broker can do."""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_schedule_makes_the_verdict_wrong(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = schedule_of(seed)
    with staged(schedule) as stage:

        def before_read(_: View, __: object) -> None:
            stage.reached("read")

        def before_check(_: View) -> None:
            stage.reached("check")

        install(monkeypatch, Hooks(before_read=before_read, before_check=before_check))
        outcome = outcome_of(*stage.views, schedule.stall_s)
    assert problems(schedule, outcome) == [], schedule.describe()


def test_the_seeds_hold_every_fault_and_every_truth() -> None:
    """A generator that leaves something out would make the test above hold for nothing."""
    schedules = [schedule_of(seed) for seed in SEEDS]
    actions = Counter(fault["action"] for one in schedules for _, _, fault in one.faults if fault["api"] == FETCH)
    assert set(actions) == ACTIONS, actions
    assert {(one.calm, one.equal) for one in schedules} == {(False, False), (False, True), (True, False), (True, True)}
    assert len({one.event[1] for one in schedules if one.event}) > 6
    bombs = [one for one in schedules if any(log.records()[-1].key == b"bomb" for log in one.pairs[0])]
    assert len(bombs) > 4
    assert {one.event[1] for one in schedules if one.only_recreated and one.event} == set(RECREATED)
