"""``kcompare demo``: the main job on this machine, with nothing installed."""

from typing import TYPE_CHECKING, Annotated

import typer

from kcompare.cli.streams import show
from kcompare.errors import SourceError
from kcompare.report.serve_text import render_served

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare.engine.demo import Demo

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
WIDTH = 96
RULE = "-" * WIDTH


def _known(damage: str) -> str:
    if damage not in DAMAGES:
        raise typer.BadParameter(f"{damage!r} is no damage; choose one of {', '.join(DAMAGES)}")
    return damage


def demo(damage: DamageChoice = "none") -> int:
    """Compare a restored hot snapshot with a mirror that went on: log directories, from disk and over the wire.

    Exits as the comparison that it shows: with 0 without damage, 1 where the damage is a difference, 3 where it
    leaves something that cannot be read. Nothing is installed or left behind, and only loopback is used.
    """
    _known(damage)
    from kcompare.engine.demo import Damage, running

    try:
        with running(Damage(damage)) as scenario:
            return _tell(scenario, harmed=damage != "none")
    except OSError as error:
        raise SourceError(f"the demo could not write its log directories: {error}") from error


def _tell(scenario: "Demo", *, harmed: bool) -> int:
    restored, mirror = scenario.restored, scenario.mirror
    show(
        "A Kafka cluster was restored from a hot snapshot, and its mirror went on without it.\n"
        "Both are here as log directories, laid out as Kafka does it. No Kafka runs.\n\n"
        f"  restored  {restored.path}  topic {restored.topic}\n"
        f"  mirror    {mirror.path}  topic {mirror.topic}\n\n"
        f"Here {scenario.story}.\n"
    )
    _step("Where do the restored partitions end, and how far are they apart?")
    _call(["tail", restored.directory, "--count", str(TAIL_RECORDS), "--show-values"])
    if harmed:
        _step("What does the restored side tell alone, before anybody starts a broker on it?")
        _call(["check", restored.directory])
    _step("Is everything up to there what the mirror has? The mirror may have more at its end.")
    code = _call(["compare", restored.directory, mirror.directory, "--allow-tail", "right"])
    _step("Any Kafka client can read the snapshot as well, without a Kafka.")
    _prompt(["serve", f"logdir:{restored.path}/", "--listen", restored.served.address])
    show(render_served(restored.served))
    _step(f"The mirror is served on {mirror.served.address}. Do they compare the same over the wire?")
    _call(["compare", restored.wire, mirror.wire, "--allow-tail", "right", "--quiet"])
    return code


def _step(question: str) -> None:
    show(f"\n{RULE}\n{question}\n")


def _prompt(arguments: "Sequence[str]") -> None:
    """Shows a command line as it would be typed, over several lines where it is long."""
    lines = ["$ kcompare"]
    for argument in arguments:
        if len(lines[-1]) + len(argument) > WIDTH:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {argument}"
    show("\n" + "\n".join(lines) + "\n\n")


def _call(arguments: "Sequence[str]") -> int:
    """Shows a command line and runs it as if it had been typed."""
    from kcompare.cli.main import run

    _prompt(arguments)
    return run(arguments)
