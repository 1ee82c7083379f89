"""What must hold between two topics, where the user leaves that to their configuration."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kcompare.model import SIDES, Mode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kcompare.engine.pinned import Pinned
    from kcompare.model import Side

NO_CHECKPOINT = "the cleaner's checkpoint cannot be read"


def is_compacted(pinned: Pinned) -> bool:
    """Whether the topic's cleanup policy contains ``compact``; in a directory, whether the log cleaner was there."""
    return "compact" in (pinned.identity.cleanup_policy or "")


def chosen_mode(wanted: Mode, pinned: Mapping[Side, Pinned]) -> tuple[Mode, str]:
    """The mode of one pair of topics, and why; ``auto`` where nothing says which."""
    if wanted is Mode.LOG:
        return Mode.LOG, "as named by --mode"
    compacted = {side: pinned[side] for side in SIDES if is_compacted(pinned[side])}
    if compacted:
        return Mode.LATEST, "auto: " + _told(
            compacted, "cleanup.policy contains compact", "the cleaner's checkpoint lists it"
        )
    unknown = [side for side in SIDES if pinned[side].identity.cleanup_policy is None]
    if unknown:
        reasons = "; ".join(f"{side.value}: {pinned[side].identity.policy_error}" for side in unknown)
        return Mode.AUTO, f"auto: cleanup.policy could not be read ({reasons})"
    if not any(found.identity.is_directory for found in pinned.values()):
        return Mode.LOG, "auto: cleanup.policy contains no compact"
    return Mode.LOG, "auto: " + _told(
        {side: pinned[side] for side in SIDES},
        "cleanup.policy contains no compact",
        "the cleaner's checkpoint does not list it",
    )


def _told(sides: Mapping[Side, Pinned], of_cluster: str, of_directory: str) -> str:
    """What is true of each side, said once where it is the same of both."""
    groups: dict[str, list[str]] = {}
    # Sides are pinned at the same time, and stand in the mapping in the order in which that ended.
    for side in SIDES:
        if side not in sides:
            continue
        identity = sides[side].identity
        told = of_cluster
        if identity.is_directory:
            told = of_directory if identity.policy_is_known or identity.cleanup_policy else NO_CHECKPOINT
        groups.setdefault(told, []).append(side.value)
    return ", ".join(f"{told} on the {' and the '.join(names)} side" for told, names in groups.items())


def common_mode(modes: Sequence[tuple[Mode, str]]) -> tuple[Mode, str]:
    """The mode of a run: that of all its topics, or ``auto`` where they have several."""
    counts = Counter(mode for mode, _ in modes)
    if len(counts) > 1:
        told = ", ".join(f"{count} {mode}" for mode, count in sorted(counts.items()))
        return Mode.AUTO, f"auto: chosen for each topic ({told})"
    reasons = {reason for _, reason in modes}
    mode = next(iter(counts))
    return mode, reasons.pop() if len(reasons) == 1 else f"{mode}: chosen for each topic"
