"""``kcompare tail VIEW [VIEW]``."""

import typer

from kcompare.cli import options
from kcompare.cli.exports import Format
from kcompare.cli.failures import exit_code, guarded
from kcompare.cli.options import value_of
from kcompare.cli.output import Output
from kcompare.cli.sides import settings_of
from kcompare.errors import KcompareError, UsageError
from kcompare.model import IsolationLevel, TailReport
from kcompare.settings.views import parse_view

MAX_VIEWS = 2


def tail(  # noqa: PLR0913  (a parameter is an option of the command)
    context: typer.Context,
    views: options.Views,
    *,
    count: options.Count = 10,
    show_values: options.ShowValues = False,
    isolation: options.Isolation = IsolationLevel.READ_COMMITTED,
    left_properties: options.LeftProperties = None,
    right_properties: options.RightProperties = None,
    left_config: options.LeftConfig = None,
    right_config: options.RightConfig = None,
    data_path: options.DataPathChoice = None,
    output: options.OutputFormat = Format.TEXT,
    export: options.Export = None,
) -> int:
    """Show the last records of every partition, and how far apart the partitions end.

    Exits with 0 when every partition was read, 3 when one was not (4 where access was refused, 5 where a
    source was unreachable), 2 for a mistake on the command line, and 130 when interrupted.
    """

    def work() -> TailReport:
        if len(views) > MAX_VIEWS:
            raise UsageError(f"tail takes one or two views and got {len(views)}; call it once for each pair")
        parsed = tuple(value_of("VIEW", view, parse_view) for view in views)
        if len(views) < MAX_VIEWS and (right_properties or right_config is not None):
            raise UsageError("-R and --right-config are for a second view and there is none; use -L or --left-config")
        sides = (("-L", left_properties, left_config), ("-R", right_properties, right_config))
        settings = settings_of(parsed, sides[: len(views)], data_path)
        # A mistake in a view is told before the engine, which takes a while to import.
        from kcompare.engine.tail import TailRequest
        from kcompare.engine.tail import tail as read_tail

        request = TailRequest(
            views=parsed, count=count, show_values=show_values, isolation=isolation, settings=settings
        )
        return read_tail(request)

    with Output(output, export or ()) as target:
        try:
            report = guarded(work, debug=context.obj.debug)
        except KcompareError as error:
            return target.failed_tail(error, exit_code(error))
        return target.tail(report)
