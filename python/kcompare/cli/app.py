"""The commands, put together."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import kcompare
from kcompare.cli.check import check
from kcompare.cli.compare import compare
from kcompare.cli.demo import demo
from kcompare.cli.failures import INTERRUPTED
from kcompare.cli.serve import serve
from kcompare.cli.session import DEBUG, Session
from kcompare.cli.streams import complain, show
from kcompare.cli.tail import tail
from kcompare.errors import UsageError
from kcompare.settings.secrets import hide_arguments


class _Group(TyperGroup):
    """Typer turns KeyboardInterrupt into a silent exit; ours is a sentence, so it is caught before."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            complain("interrupted")
            raise typer.Exit(INTERRUPTED) from None


def _version(*, wanted: bool) -> None:
    if wanted:
        show(f"kcompare {kcompare.__version__}\n")
        raise typer.Exit


def _program(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Print the traceback of an error; may stand anywhere.")] = False,
) -> None:
    """Prove that two Kafka logs hold the same records, or show the first place where they part."""


# Plain help without boxes: it is the same in a pipe, and nothing of ours ever meets a markup engine.
_APP = typer.Typer(cls=_Group, rich_markup_mode=None, pretty_exceptions_enable=False, name="kcompare")
_APP.callback()(_program)
_APP.command(short_help="Compare two logs and say where they part.")(compare)
_APP.command(short_help="Show the last records of every partition.")(tail)
_APP.command(short_help="Check one log alone, record by record.")(check)
_APP.command(short_help="Serve log directories as a read-only Kafka broker.")(serve)
_APP.command(short_help="See it all at work on this machine, with nothing installed.")(demo)


def invoke(session: Session) -> int:
    """Runs the command that the session's arguments name and returns its exit code.

    Raises:
        UsageError: a mistake that the parser found, with the help that shows the way out.
        KcompareError: what a command could not tell by itself.
    """
    command = typer.main.get_command(_APP)
    try:
        code = command.main(args=list(session.arguments), prog_name="kcompare", standalone_mode=False, obj=session)
    except typer.TyperException as error:
        # Not `from error`: the parser's own message repeats an argument that may be a secret in the wrong place.
        raise UsageError(_sentence(error)) from None
    return code if isinstance(code, int) else 0


def _sentence(error: typer.TyperException) -> str:
    """The parser's message as one sentence that ends with where to look."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "kcompare"
    message = " ".join(hide_arguments(error.format_message()).split())
    message = message.replace(". Did you mean", ", did you mean").replace(": Value error, ", ": ").rstrip(".?")
    return f"{message[:1].lower()}{message[1:]}; see '{path} --help'"
