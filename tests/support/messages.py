"""Messages as confluent-kafka gives them, without a broker; see ``Message`` there for what each method means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.logs import Record

NOT_AVAILABLE, CREATE_TIME, LOG_APPEND_TIME = 0, 1, 2


@dataclass(frozen=True)
class FakeMessage:
    """A record as a message. A header name that is no UTF-8 raises, as it does there, when headers are asked for."""

    record: Record
    timestamp_type: int = CREATE_TIME

    def offset(self) -> int:
        return self.record.offset

    def timestamp(self) -> tuple[int, int]:
        return self.timestamp_type, self.record.timestamp

    def key(self) -> bytes | None:
        return self.record.key

    def value(self) -> bytes | None:
        return self.record.value

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return [(name.decode(), value) for name, value in self.record.headers] or None


def messages(records: Iterable[Record], timestamp_type: int = CREATE_TIME) -> list[FakeMessage]:
    """The records as messages."""
    return [FakeMessage(record, timestamp_type) for record in records]
