"""Documents as one JSON text in ASCII: safe in any terminal and encoding, and never near a markup engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kcompare.report.check_document import check_document
from kcompare.report.document import report_document
from kcompare.report.tail_document import tail_document

if TYPE_CHECKING:
    from kcompare.check_model import CheckReport
    from kcompare.model import Report, TailReport


def report_json(report: Report) -> str:
    """The document ``kcompare.report/1``, indented, with a line break at its end."""
    return _pretty(report_document(report))


def tail_json(report: TailReport) -> str:
    """The document ``kcompare.tail/1``, likewise."""
    return _pretty(tail_document(report))


def check_json(report: CheckReport) -> str:
    """The document ``kcompare.check/1``, likewise."""
    return _pretty(check_document(report))


def compact(document: dict[str, Any]) -> str:
    """One document on one line with a line break at its end, for JSON Lines."""
    return json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"


def _pretty(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=True, allow_nan=False, indent=2) + "\n"
