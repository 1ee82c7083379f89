"""Where a result goes: stdout in one format, files in others, and the exit code when one of them fails."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from kcompare.check_model import Soundness
from kcompare.cli.exports import Exports, Format
from kcompare.cli.failures import INCONCLUSIVE, failed_tail, tail_exit_code
from kcompare.cli.redaction import check_without_secrets, tail_without_secrets, without_secrets
from kcompare.cli.streams import complain, show, takes_colour
from kcompare.model import ErrorEntry
from kcompare.report.check_text import check_line, check_text
from kcompare.report.json import check_json, report_json, tail_json
from kcompare.report.jsonl import check_jsonl, report_jsonl, tail_jsonl
from kcompare.report.tail_text import tail_text
from kcompare.report.text import report_line, report_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from kcompare.check_model import CheckReport
    from kcompare.errors import KcompareError
    from kcompare.model import Report, TailReport

_REPORT = {Format.TEXT: report_text, Format.JSON: report_json, Format.JSONL: report_jsonl}
_CHECK = {Format.TEXT: check_text, Format.JSON: check_json, Format.JSONL: check_jsonl}
_TAIL = {Format.TEXT: tail_text, Format.JSON: tail_json, Format.JSONL: tail_jsonl}


class Output:
    """The outputs of one run, as a context manager; its files are open from the beginning."""

    def __init__(self, chosen: Format, exports: Sequence[str] = (), *, quiet: bool = False) -> None:
        """Opens the files.

        Raises:
            UsageError: an export that cannot be.
        """
        self._format = chosen
        self._quiet = quiet
        self._exports = Exports(exports)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exports.__exit__(kind, error, trace)

    def report(self, report: Report) -> int:
        """Writes a comparison's report everywhere and returns the exit code."""
        report = without_secrets(report)
        problems = self._exports.write(lambda chosen: _REPORT[chosen](report))
        if problems:
            # A pipeline that waits for the file must not see success, and the document names the exit code.
            errors = tuple(ErrorEntry("EXPORT", problem, fatal=True) for problem in problems)
            code = report.exit_code or INCONCLUSIVE
            report = replace(report, exit_code=code, errors=(*report.errors, *errors))
        shown = self._show(self._text(report))
        fatal = [error.message for error in report.errors if error.fatal]
        for problem in problems if self._format is Format.TEXT else fatal:
            complain(problem)
        return report.exit_code or (0 if shown else INCONCLUSIVE)

    def failed(self, report: Report, error: KcompareError) -> int:
        """Writes the document of a run that ended with an error; as text, the error's sentence is all."""
        problems = self._exports.write(lambda chosen: _REPORT[chosen](report))
        if self._format is not Format.TEXT:
            self._show(_REPORT[self._format](report))
        for sentence in (str(error), *problems):
            complain(sentence)
        return report.exit_code

    def tail(self, report: TailReport) -> int:
        """Writes the ends of topics everywhere and returns the exit code."""
        report = tail_without_secrets(report)
        problems = self._exports.write(lambda chosen: _TAIL[chosen](report))
        shown = self._show(_TAIL[self._format](report))
        fatal = [error.message for error in report.errors if error.fatal]
        for sentence in [*problems, *([] if self._format is Format.TEXT else fatal)]:
            complain(sentence)
        return tail_exit_code(report) or (INCONCLUSIVE if problems or not shown else 0)

    def failed_tail(self, error: KcompareError, code: int) -> int:
        """Writes the document of a ``tail`` that ended with an error."""
        report = failed_tail(error)
        problems = self._exports.write(lambda chosen: _TAIL[chosen](report))
        if self._format is not Format.TEXT:
            self._show(_TAIL[self._format](report))
        for sentence in (str(error), *problems):
            complain(sentence)
        return code

    def check(self, report: CheckReport) -> int:
        """Writes a check's report everywhere and returns the exit code."""
        report = check_without_secrets(report)
        problems = self._exports.write(lambda chosen: _CHECK[chosen](report))
        if problems:
            errors = tuple(ErrorEntry("EXPORT", problem, fatal=True) for problem in problems)
            code = report.exit_code or INCONCLUSIVE
            verdict = Soundness.INCONCLUSIVE if report.verdict is Soundness.SOUND else report.verdict
            report = replace(report, verdict=verdict, exit_code=code, errors=(*report.errors, *errors))
        if self._format is Format.TEXT:
            colour = takes_colour(sys.stdout)
            text = check_line(report, colour=colour) if self._quiet else check_text(report, colour=colour)
        else:
            text = _CHECK[self._format](report)
        shown = self._show(text)
        fatal = [error.message for error in report.errors if error.fatal]
        for problem in problems if self._format is Format.TEXT else fatal:
            complain(problem)
        return report.exit_code or (0 if shown else INCONCLUSIVE)

    def failed_check(self, report: CheckReport, error: KcompareError) -> int:
        """Writes the document of a check that ended with an error; as text, the error's sentence is all."""
        problems = self._exports.write(lambda chosen: _CHECK[chosen](report))
        if self._format is not Format.TEXT:
            self._show(_CHECK[self._format](report))
        for sentence in (str(error), *problems):
            complain(sentence)
        return report.exit_code

    def _text(self, report: Report) -> str:
        if self._format is not Format.TEXT:
            return _REPORT[self._format](report)
        colour = takes_colour(sys.stdout)
        return report_line(report, colour=colour) if self._quiet else report_text(report, colour=colour)

    @staticmethod
    def _show(text: str) -> bool:
        """Writes to stdout; False, and a sentence on stderr, where that fails."""
        try:
            show(text)
        except (OSError, ValueError) as error:
            complain(f"the result could not be written to stdout: {error}")
            return False
        return True
