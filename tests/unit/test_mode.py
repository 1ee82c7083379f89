"""Which mode is chosen for a pair of topics, and that the sentence does not depend on which side answered first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kcompare.engine.mode import chosen_mode
from kcompare.model import Mode, Side
from kcompare.sources.base import Identity


def side(policy: str | None, *, directory: bool = False, known: bool = True) -> Any:
    identity = Identity(None, None, frozenset(), policy, None, (0,), policy_is_known=known, is_directory=directory)
    return SimpleNamespace(identity=identity)


CLUSTER, COMPACTED = side("delete"), side("compact,delete")
DIRECTORY, CLEANED, BARE = (
    side("", directory=True),
    side("compact", directory=True),
    side("", directory=True, known=False),
)


@pytest.mark.parametrize(
    ("left", "right", "mode", "reason"),
    [
        (CLUSTER, CLUSTER, Mode.LOG, "auto: cleanup.policy contains no compact"),
        (CLUSTER, COMPACTED, Mode.LATEST, "auto: cleanup.policy contains compact on the right side"),
        (
            DIRECTORY,
            DIRECTORY,
            Mode.LOG,
            "auto: the cleaner's checkpoint does not list it on the left and the right side",
        ),
        (
            DIRECTORY,
            CLUSTER,
            Mode.LOG,
            (
                "auto: the cleaner's checkpoint does not list it on the left side, "
                "cleanup.policy contains no compact on the right side"
            ),
        ),
        (
            CLEANED,
            COMPACTED,
            Mode.LATEST,
            (
                "auto: the cleaner's checkpoint lists it on the left side, "
                "cleanup.policy contains compact on the right side"
            ),
        ),
        (
            DIRECTORY,
            BARE,
            Mode.LOG,
            (
                "auto: the cleaner's checkpoint does not list it on the left side, "
                "the cleaner's checkpoint cannot be read on the right side"
            ),
        ),
    ],
)
def test_the_mode_and_why(left: Any, right: Any, mode: Mode, reason: str) -> None:
    answered_in_order = {Side.LEFT: left, Side.RIGHT: right}
    the_right_one_first = {Side.RIGHT: right, Side.LEFT: left}
    for pinned in (answered_in_order, the_right_one_first):
        assert chosen_mode(Mode.AUTO, pinned) == (mode, reason)
        assert chosen_mode(Mode.LOG, pinned) == (Mode.LOG, "as named by --mode")
