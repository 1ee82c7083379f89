"""``kcompare demo``: the main job on this machine, with nothing installed."""

from typing import TYPE_CHECKING, Annotated

import typer

from kcompare.cli.streams import show
from kcompare.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

DAMAGES = (
    "none",
    "drop-segment",
    "drop-record",
    "duplicate",
    "swap",
    "change-value",
    "change-header",
    "fork",
    "flip-bit",
)
"""The kinds of ``engine.demo.Damage``; named here too because the engine takes a while to import."""

DamageChoice = Annotated[
    str,
    typer.Option(
        "--damage",
        metavar="KIND",
        help="What happens to the restored side first: " + ", ".join(DAMAGES) + ".",
    ),
]
TAIL_RECORDS = 3


def _known(damage: str) -> str:
    if damage not in DAMAGES:
        raise typer.BadParameter(f"{damage!r} is no damage; choose one of {', '.join(DAMAGES)}")
    return damage


def demo(damage: DamageChoice = "none") -> int:
    """Compare a restored hot snapshot with a mirror that went on, on two small brokers of this process.

    Exits as the comparison that it shows: with 0 without damage, 1 where the damage is a difference, 3 where it
    leaves something that cannot be read. Nothing is installed or written, and only loopback is used.
    """
    _known(damage)
    from kcompare.engine.demo import Damage, running

    try:
        with running(Damage(damage)) as clusters:
            show(
                "A Kafka cluster was restored from a hot snapshot, and its mirror went on without it.\n"
                f"  restored  {clusters.restored_view}\n"
                f"  mirror    {clusters.mirrored_view}\n"
                f"Here {clusters.story}.\n"
            )
            show("\nWhere do the restored partitions end, and how far are they apart?\n")
            _call(["tail", clusters.restored_view, "--count", str(TAIL_RECORDS), "--show-values"])
            show("\nIs everything up to there what the mirror has? The mirror may have more at its end.\n")
            return _call(["compare", clusters.restored_view, clusters.mirrored_view, "--allow-tail", "right"])
    except OSError as error:
        raise SourceError(f"the demo could not start its brokers on loopback: {error}") from error


def _call(arguments: "Sequence[str]") -> int:
    """Shows a command line and runs it as if it had been typed."""
    from kcompare.cli.main import run

    show(f"\n$ kcompare {' '.join(arguments)}\n\n")
    return run(arguments)
