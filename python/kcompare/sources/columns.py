"""Messages as columns: one lazy iterable a field, which the native module copies from without keeping an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare._native import ColumnSlice


class UndeliveredError(Exception):
    """The client has a record and cannot hand it over; the records before it were taken."""


def push(taker: ColumnSlice, messages: Sequence[Any]) -> int:
    """Hands messages without errors to a slice and returns how many bytes of records they had.

    Each field is read by ``map`` over the C function of the message's class: no line of Python runs for a record. The
    headers come first, because only they can fail, and a message whose headers have failed must not be touched again:
    confluent-kafka then has a list with holes where objects should be.

    Raises:
        UndeliveredError: the name of a header is no UTF-8.
        ValueError: the offsets do not ascend; nothing was taken.
    """
    kind = type(messages[0])
    try:
        return taker.push(
            offsets=map(kind.offset, messages),
            timestamps=map(kind.timestamp, messages),
            keys=map(kind.key, messages),
            values=map(kind.value, messages),
            headers=map(kind.headers, messages),
        )
    except (UnicodeDecodeError, SystemError) as error:
        raise UndeliveredError(
            "a record has a header name that is no UTF-8, which this client cannot deliver"
        ) from error
