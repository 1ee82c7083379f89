"""``kcompare compare LEFT RIGHT``."""

import sys
import time
from typing import TYPE_CHECKING

import typer

from kcompare.cli import options
from kcompare.cli.exports import Format
from kcompare.cli.failures import checked, failed_report, guarded
from kcompare.cli.options import bytes_of, optional_value_of, seconds_of, selection_of, value_of
from kcompare.cli.output import Output
from kcompare.cli.progress import Progress
from kcompare.cli.sides import settings_of
from kcompare.cli.streams import is_terminal
from kcompare.errors import KcompareError
from kcompare.model import IsolationLevel, Mode, Report
from kcompare.settings.allowances import parse_allowance
from kcompare.settings.fields import parse_fields
from kcompare.settings.partitions import parse_partitions
from kcompare.settings.quantities import parse_rate_bytes
from kcompare.settings.ranges import parse_range
from kcompare.settings.views import parse_cluster_view

if TYPE_CHECKING:
    from kcompare.engine.compare import CompareRequest


def compare(  # noqa: PLR0913  (a parameter is an option of the command)
    context: typer.Context,
    left: options.Left,
    right: options.Right,
    *,
    fields: options.Fields = "auto",
    mode: options.ModeChoice = Mode.AUTO,
    isolation: options.Isolation = IsolationLevel.READ_COMMITTED,
    left_isolation: options.LeftIsolation = None,
    right_isolation: options.RightIsolation = None,
    settle: options.Settle = "15s",
    allow_head: options.AllowHead = None,
    allow_tail: options.AllowTail = None,
    allow_gaps: options.AllowGaps = False,
    allow_empty: options.AllowEmpty = False,
    allow_same: options.AllowSame = False,
    partitions: options.Partitions = None,
    topics: options.Topics = None,
    map_: options.Map = None,
    expect_topics: options.ExpectTopics = None,
    left_range: options.LeftRange = None,
    right_range: options.RightRange = None,
    left_properties: options.LeftProperties = None,
    right_properties: options.RightProperties = None,
    left_config: options.LeftConfig = None,
    right_config: options.RightConfig = None,
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
    """Compare two logs, or many: the verdict, what it covers, where they part, and what was found.

    Exits with 0 for EQUAL, 1 for DIFFERENT, 3 for INCONCLUSIVE (4 where access was refused, 5 where a source
    was unreachable), 2 for a mistake on the command line, and 130 when interrupted.
    """
    started = time.time()

    def work() -> Report:
        left_view, right_view = (
            value_of(side, text, parse_cluster_view) for side, text in (("LEFT", left), ("RIGHT", right))
        )
        selection = selection_of(topics, map_, expect_topics)
        from kcompare.settings.topics import check_views

        check_views(left_view, right_view, selection)
        # A mistake in a view is told before the engine, which takes a while to import.
        from kcompare.engine.compare import CompareRequest

        left_settings, right_settings = settings_of(
            (left_view, right_view),
            (("-L", left_properties, left_config), ("-R", right_properties, right_config)),
            data_path,
            request_timeout=request_timeout,
            stall_timeout=stall_timeout,
        )
        request = CompareRequest(
            left=left_view,
            right=right_view,
            topics=selection,
            mode=mode,
            fields=value_of("--fields", fields, parse_fields),
            left_isolation=left_isolation or isolation,
            right_isolation=right_isolation or isolation,
            settle_s=seconds_of("--settle", settle, zero=True),
            allow_head=optional_value_of("--allow-head", allow_head, parse_allowance),
            allow_tail=optional_value_of("--allow-tail", allow_tail, parse_allowance),
            allow_gaps=allow_gaps,
            allow_empty=allow_empty,
            allow_same=allow_same,
            partitions=optional_value_of("--partitions", partitions, parse_partitions),
            left_range=optional_value_of("--left-range", left_range, parse_range),
            right_range=optional_value_of("--right-range", right_range, parse_range),
            workers=workers,
            budget_bytes=bytes_of("--budget", budget),
            rate_limit_bytes=optional_value_of("--rate-limit", rate_limit, parse_rate_bytes),
            max_findings=max_findings,
            left_settings=left_settings,
            right_settings=right_settings,
        )
        return _run(request, drawn=not (quiet or no_progress))

    with Output(output, export or (), quiet=quiet) as target:
        try:
            report = guarded(work, debug=context.obj.debug)
        except KcompareError as error:
            return target.failed(failed_report(error, left, right, started), error)
        return target.report(report)


def _run(request: "CompareRequest", *, drawn: bool) -> Report:
    """Compares, with progress on stderr where someone may look at it."""
    from kcompare.engine.compare import compare as compare_logs
    from kcompare.engine.progress import ProgressBoard

    board = ProgressBoard()
    stream = sys.stderr if drawn and is_terminal(sys.stderr) else None
    with Progress(board.snapshot, stream):
        return checked(compare_logs(request, board=board))
