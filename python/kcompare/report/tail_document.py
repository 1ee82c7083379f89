"""The ends of topics as the document ``kcompare.tail/1``."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from kcompare.report.document import Document, error_documents
from kcompare.report.sanitize import repair

if TYPE_CHECKING:
    from kcompare.model import TailPartition, TailRecord, TailReport, TailView

SCHEMA = "kcompare.tail/1"


def tail_document(report: TailReport) -> Document:
    """The whole report."""
    return {
        "schema": SCHEMA,
        "views": [tail_view_document(view) for view in report.views],
        "errors": error_documents(report.errors),
    }


def tail_view_document(view: TailView) -> Document:
    """One view: its partitions, the skew between their ends, and the smallest stop."""
    return {
        "view": repair(view.view),
        "partitions": [tail_partition_document(partition) for partition in view.partitions],
        "end_skew_ms": view.end_skew_ms,
        "common_prefix_stop": view.common_prefix_stop,
        "data_path": view.data_path,
        "data_path_reason": repair(view.data_path_reason),
        "notes": [repair(note) for note in view.notes],
    }


def tail_partition_document(partition: TailPartition) -> Document:
    """One partition: its bounds and its last records."""
    return {
        "partition": partition.partition,
        "log_start_offset": partition.log_start_offset,
        "stop": partition.stop,
        "start": partition.start,
        "records": [_record(record) for record in partition.records],
        "last_timestamp": partition.last_timestamp,
        "error": None if partition.error is None else repair(partition.error),
    }


def _record(record: TailRecord) -> Document:
    document: Document = {
        "offset": record.offset,
        "timestamp": _known(record.timestamp),
        "key_bytes": _known(record.key_bytes),
        "value_bytes": _known(record.value_bytes),
    }
    for name, payload in (("key", record.key), ("value", record.value)):
        if payload is not None:
            document |= _payload(name, payload)
    return document


def _payload(name: str, payload: bytes) -> Document:
    """Bytes as text where they are UTF-8 and as base64 where not; the key's name says which."""
    try:
        return {f"{name}_text": payload.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(payload).decode("ascii")}


def _known(value: int) -> int | None:
    # Kafka writes -1 for "none" (NoTimestamp, the length of a null key); JSON has a word for it.
    return None if value == -1 else value
