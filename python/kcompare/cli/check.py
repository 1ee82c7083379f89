"""``kcompare check VIEW``."""

import sys
import time
from typing import TYPE_CHECKING

import typer

from kcompare.check_model import CheckReport
from kcompare.cli import options
from kcompare.cli.check_failures import checked_check, failed_check
from kcompare.cli.exports import Format
from kcompare.cli.failures import guarded
from kcompare.cli.options import bytes_of, optional_value_of, selection_of, value_of
from kcompare.cli.output import Output
from kcompare.cli.progress import Progress
from kcompare.cli.sides import settings_of
from kcompare.cli.streams import is_terminal
from kcompare.errors import KcompareError
from kcompare.settings.partitions import parse_partitions
from kcompare.settings.quantities import parse_rate_bytes
from kcompare.settings.views import parse_cluster_view

if TYPE_CHECKING:
    from kcompare.engine.check import CheckRequest


def check(  # noqa: PLR0913  (a parameter is an option of the command)
    context: typer.Context,
    view: options.CheckedView,
    *,
    partitions: options.Partitions = None,
    topics: options.CheckedTopics = None,
    expect_topics: options.ExpectedTopics = None,
    allow_gaps: options.AllowGaps = False,
    allow_empty: options.AllowNothing = False,
    left_properties: options.LeftProperties = None,
    left_config: options.LeftConfig = None,
    data_path: options.DataPathChoice = None,
    workers: options.Workers = None,
    budget: options.Budget = "64MiB",
    rate_limit: options.RateLimit = None,
    max_findings: options.MaxFindings = 100,
    stall_timeout: options.StallTimeout = "60s",
    request_timeout: options.RequestTimeout = "30s",
    output: options.OutputFormat = Format.TEXT,
    export: options.Export = None,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> int:
    """Check one log alone: every record read, and every offset accounted for.

    Of log directories it also says what a broker that is started on them would delete or hide. Exits with 0 for
    SOUND, 1 for DAMAGED, 3 for INCONCLUSIVE (4 where access was refused, 5 where a source was unreachable), 2 for a
    mistake on the command line, and 130 when interrupted.
    """
    started = time.time()

    def work() -> CheckReport:
        parsed = value_of("VIEW", view, parse_cluster_view)
        selection = selection_of(topics, None, expect_topics)
        from kcompare.settings.topics import check_view

        check_view(parsed, selection)
        (settings,) = settings_of(
            (parsed,),
            (("-L", left_properties, left_config),),
            data_path,
            request_timeout=request_timeout,
            stall_timeout=stall_timeout,
        )
        # A mistake in a view is told before the engine, which takes a while to import.
        from kcompare.engine.check import CheckRequest

        request = CheckRequest(
            view=parsed,
            topics=selection,
            partitions=optional_value_of("--partitions", partitions, parse_partitions),
            allow_gaps=allow_gaps,
            allow_empty=allow_empty,
            workers=workers,
            budget_bytes=bytes_of("--budget", budget),
            rate_limit_bytes=optional_value_of("--rate-limit", rate_limit, parse_rate_bytes),
            max_findings=max_findings,
            settings=settings,
        )
        return _run(request, drawn=not (quiet or no_progress))

    with Output(output, export or (), quiet=quiet) as target:
        try:
            report = guarded(work, debug=context.obj.debug)
        except KcompareError as error:
            return target.failed_check(failed_check(error, view, started), error)
        return target.check(report)


def _run(request: "CheckRequest", *, drawn: bool) -> CheckReport:
    """Checks, with progress on stderr where someone may look at it."""
    from kcompare.engine.check import check as check_log
    from kcompare.engine.progress import ProgressBoard

    board = ProgressBoard()
    stream = sys.stderr if drawn and is_terminal(sys.stderr) else None
    with Progress(board.snapshot, stream):
        return checked_check(check_log(request, board=board))
