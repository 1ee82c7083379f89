"""The program: from a command line to an exit code. The only place that ends the process."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

INCONCLUSIVE, INTERRUPTED = 3, 130


def main() -> None:
    """The entry point of the ``kcompare`` script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; nothing but that and its output comes out."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        # So early that no command was there to say it.
        return _last_words("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001  (the last line of defence: no traceback without --debug)
        from kcompare.cli.streams import trace

        if "--debug" in arguments:
            trace(error)
        cause = f"{type(error).__name__}: {error}"
        return _last_words(f"an error of kcompare itself ended it ({cause}); run it with --debug", INCONCLUSIVE)


def _run(arguments: Sequence[str]) -> int:
    # Imported here, since typer alone takes longer than everything before it and Ctrl-C may come meanwhile.
    from kcompare.cli.app import invoke
    from kcompare.cli.check_failures import failed_check
    from kcompare.cli.failures import exit_code, failed_report
    from kcompare.cli.output import Output
    from kcompare.cli.session import Session
    from kcompare.cli.streams import trace
    from kcompare.errors import KcompareError

    session = Session.of(arguments)
    started = time.time()
    try:
        return invoke(session)
    except KcompareError as error:
        # A mistake that the parser found, or an output that cannot be: no command could write a document.
        if session.debug:
            trace(error)
        with Output(session.format) as output:
            if session.command == "tail":
                return output.failed_tail(error, exit_code(error))
            if session.command == "check":
                return output.failed_check(failed_check(error, "", started), error)
            return output.failed(failed_report(error, "", "", started), error)


def _last_words(sentence: str, code: int) -> int:
    from kcompare.cli.streams import complain

    complain(sentence)
    return code
