"""From an error to a sentence, an exit code and a document that says so. The table is docs/cli.md's."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import kcompare
from kcompare.cli.streams import trace
from kcompare.errors import (
    InterruptedRunError,
    KcompareError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from kcompare.model import (
    Effect,
    ErrorEntry,
    Report,
    RunInfo,
    TailReport,
    TopicReport,
    Totals,
    Verdict,
    ViewReport,
)
from kcompare.settings.views import kind_of, redact, redact_within

if TYPE_CHECKING:
    from collections.abc import Callable

EQUAL, DIFFERENT, USAGE, INCONCLUSIVE, REFUSED, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
"""The exit codes; where several apply: 130, then 1, 4, 5, 3."""

# Codes by which a report's errors say that someone was not let in, or was not there.
_REFUSED_CODES = frozenset(
    {
        "REFUSED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "SASL_AUTHENTICATION_FAILED",
        "TOPIC_AUTHORIZATION_FAILED",
    }
)
_UNREACHABLE_CODES = frozenset({"UNREACHABLE", "STALLED", "REQUEST_TIMED_OUT"})

_CODES: dict[Verdict | None, tuple[int, ...]] = {
    Verdict.EQUAL: (EQUAL, INTERRUPTED),
    Verdict.DIFFERENT: (DIFFERENT, INTERRUPTED),
    Verdict.INCONCLUSIVE: (INCONCLUSIVE, REFUSED, UNREACHABLE, INTERRUPTED),
    None: (USAGE,),
}

Result = TypeVar("Result")


class InternalError(KcompareError):
    """A mistake of ours: an error that nobody raised on purpose."""

    code = "INTERNAL"


def guarded(work: Callable[[], Result], *, debug: bool) -> Result:
    """Runs the work of a command; whatever it raises comes out as a :class:`KcompareError`.

    Raises:
        KcompareError: what the work raised, an interruption, or ``InternalError`` for anything else.
    """
    try:
        return work()
    except KcompareError as error:
        if debug:
            trace(error)
        raise
    except KeyboardInterrupt:
        raise InterruptedRunError("interrupted before a report could be made; nothing was proven") from None
    except Exception as error:
        if debug:
            trace(error)
        raise InternalError(
            f"an error of kcompare itself ended the run ({type(error).__name__}: {error}); "
            "run it again with --debug and report what it prints"
        ) from error


def checked(report: Report) -> Report:
    """The engine's report, if it does not contradict itself.

    The verdict has one gate, in ``kcompare.verdict``. This is the other half of that pair: whatever went
    wrong before, only EQUAL leaves the process with 0, and no EQUAL leaves it over an uncovered offset.

    Raises:
        InternalError: the verdict does not go with the exit code or with what the report holds.
    """
    if report.exit_code not in _CODES[report.verdict]:
        raise _contradiction(report, f"exit code {report.exit_code}")
    if report.verdict is Verdict.EQUAL:
        if not report.topics:
            raise _contradiction(report, "no topic at all")
        for topic in report.topics:
            _check_equal(report, topic)
    return report


def _check_equal(report: Report, topic: TopicReport) -> None:
    if topic.verdict is not Verdict.EQUAL or not topic.partitions:
        raise _contradiction(report, f"topic {topic.left!r}, {topic.verdict}")
    if any(finding.effect in {Effect.DIFFERENCE, Effect.UNVERIFIED} for finding in topic.findings):
        raise _contradiction(report, f"a finding about topic {topic.left!r}")
    for partition in topic.partitions:
        sides = [side for side in (partition.left, partition.right) if side is not None]
        if partition.verdict is not Verdict.EQUAL:
            raise _contradiction(report, f"partition {partition.partition} {partition.verdict}")
        if any(side.uncovered_offsets for side in sides):
            raise _contradiction(report, f"uncovered offsets in partition {partition.partition}")
        if any(finding.effect is Effect.DIFFERENCE for finding in partition.findings):
            raise _contradiction(report, f"a difference in partition {partition.partition}")


def _contradiction(report: Report, beside: str) -> InternalError:
    return InternalError(
        f"the report contradicts itself, with the verdict {report.verdict} beside {beside}; "
        "nothing was proven, so please report this"
    )


def exit_code(error: KcompareError) -> int:
    """The exit code of a run that ended with this error."""
    codes = (
        (InterruptedRunError, INTERRUPTED),
        (UsageError, USAGE),
        (RefusedError, REFUSED),
        (UnreachableError, UNREACHABLE),
    )
    return next((code for kind, code in codes if isinstance(error, kind)), INCONCLUSIVE)


def failed_report(error: KcompareError, left: str, right: str, started: float) -> Report:
    """The document of a comparison that ended with an error: no verdict for exit 2, else INCONCLUSIVE.

    Args:
        error: what ended it.
        left: the left view as the user wrote it, empty where that is not known.
        right: the right view, likewise.
        started: when the command began, in seconds since the epoch.
    """
    code = exit_code(error)
    return Report(
        verdict=None if code == USAGE else Verdict.INCONCLUSIVE,
        exit_code=code,
        left=ViewReport(redact(left), kind_of(left)),
        right=ViewReport(redact(right), kind_of(right)),
        options=None,
        topics=(),
        totals=Totals(),
        errors=(entry(error),),
        run=RunInfo(
            started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            seconds=max(time.time() - started, 0.0),
            records_per_second=0.0,
            peak_rss_bytes=0,
            version=kcompare.__version__,
        ),
    )


def failed_tail(error: KcompareError) -> TailReport:
    """The document of a ``tail`` that ended with an error."""
    return TailReport(views=(), errors=(entry(error),))


def entry(error: KcompareError) -> ErrorEntry:
    """The error as a document holds it."""
    return ErrorEntry(code=error.code, message=redact_within(str(error)), fatal=True)


def tail_exit_code(report: TailReport) -> int:
    """0 where every partition was read; else by the errors, with the order of the table."""
    codes = {error.code for error in report.errors}
    if codes & _REFUSED_CODES:
        return REFUSED
    if codes & _UNREACHABLE_CODES:
        return UNREACHABLE
    failed = any(partition.error is not None for view in report.views for partition in view.partitions)
    return INCONCLUSIVE if codes or failed else EQUAL
