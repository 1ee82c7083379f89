"""Choices of record fields such as ``key,value``."""

from __future__ import annotations

from kcompare.errors import UsageError
from kcompare.model import RecordField
from kcompare.settings.quoting import quoted

AUTO = "auto"


def parse_fields(text: str) -> tuple[RecordField, ...] | None:
    """Reads ``auto`` as None, and field names with commas as those fields in the model's order, each once.

    Raises:
        UsageError: a name that is no field of a record.
    """
    if text == AUTO:
        return None
    names = text.split(",")
    for name in names:
        if name not in set(RecordField):
            raise UsageError(
                f"fields {quoted(text)} hold {quoted(name)}, which is no field of a record; "
                f"write auto or some of {', '.join(RecordField)}"
            )
    return tuple(field for field in RecordField if field in names)
