"""The other half of a check's verdict gate, and the document of a check that ended with an error."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import kcompare
from kcompare.check_model import CheckEffect, CheckReport, CheckTotals, Soundness
from kcompare.cli.failures import (
    DIFFERENT,
    EQUAL,
    INCONCLUSIVE,
    INTERRUPTED,
    REFUSED,
    UNREACHABLE,
    USAGE,
    InternalError,
    entry,
    exit_code,
)
from kcompare.model import RunInfo, ViewReport
from kcompare.settings.views import kind_of, redact

if TYPE_CHECKING:
    from kcompare.errors import KcompareError

_CODES: dict[Soundness | None, tuple[int, ...]] = {
    Soundness.SOUND: (EQUAL,),
    Soundness.DAMAGED: (DIFFERENT, INTERRUPTED),
    Soundness.INCONCLUSIVE: (INCONCLUSIVE, REFUSED, UNREACHABLE, INTERRUPTED),
    None: (USAGE,),
}


def checked_check(report: CheckReport) -> CheckReport:
    """The engine's report, if it does not contradict itself: nothing unread or unsound leaves with 0.

    Raises:
        InternalError: the verdict does not go with the exit code or with what the report holds.
    """
    beside = None
    if report.exit_code not in _CODES[report.verdict]:
        beside = f"exit code {report.exit_code}"
    elif report.verdict is Soundness.SOUND:
        beside = _against_sound(report)
    if beside is not None:
        raise InternalError(
            f"the report contradicts itself, with the verdict {report.verdict} beside {beside}; "
            "nothing was proven, so please report this"
        )
    return report


def _against_sound(report: CheckReport) -> str | None:
    if not report.topics:
        return "no topic at all"
    if any(finding.effect in {CheckEffect.DEFECT, CheckEffect.UNVERIFIED} for finding in report.findings):
        return "a finding against it"
    for topic in report.topics:
        if topic.verdict is not Soundness.SOUND or not topic.partitions:
            return f"topic {topic.topic!r}, {topic.verdict}"
        for partition in topic.partitions:
            if partition.verdict is not Soundness.SOUND:
                return f"partition {partition.partition} {partition.verdict}"
            if partition.coverage is None or partition.coverage.uncovered_offsets:
                return f"uncovered offsets in partition {partition.partition}"
    return None


def failed_check(error: KcompareError, view: str, started: float) -> CheckReport:
    """The document of a check that ended with an error: no verdict for exit 2, else INCONCLUSIVE.

    Args:
        error: what ended it.
        view: the view as the user wrote it, empty where that is not known.
        started: when the command began, in seconds since the epoch.
    """
    code = exit_code(error)
    return CheckReport(
        verdict=None if code == USAGE else Soundness.INCONCLUSIVE,
        exit_code=code,
        view=ViewReport(redact(view), kind_of(view)),
        options=None,
        topics=(),
        findings=(),
        findings_total=0,
        totals=CheckTotals(),
        errors=(entry(error),),
        run=RunInfo(
            started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            seconds=max(time.time() - started, 0.0),
            records_per_second=0.0,
            peak_rss_bytes=0,
            version=kcompare.__version__,
        ),
    )
