"""Things that happen at chosen moments of a run: before a slice is read, before a side is checked again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kcompare.sources import kafka
from kcompare.sources.kafka import KafkaSource

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from kcompare.model import OffsetRange, Slice, View
    from kcompare.sources.base import Identity, Rows, SliceDigest


@dataclass
class Hooks:
    """What to do, and when; each is given the view of the side that it happens to."""

    before_read: Callable[[View, Slice], None] | None = None
    after_read: Callable[[View, Slice], None] | None = None
    before_check: Callable[[View], None] | None = None
    before_rows: Callable[[View, OffsetRange], None] | None = None
    reads: list[tuple[str, Slice]] = field(default_factory=list)


def install(monkeypatch: pytest.MonkeyPatch, hooks: Hooks) -> None:
    """Lets the next comparisons go through the hooks."""

    class HookedSource(KafkaSource):
        asked = False

        def identity(self) -> Identity:
            if self.asked and hooks.before_check:
                hooks.before_check(self.view)
            self.asked = True
            return super().identity()

        def read(self, piece: Slice, *rest: Any, **options: Any) -> SliceDigest:
            hooks.reads.append((self.view.text, piece))
            if hooks.before_read:
                hooks.before_read(self.view, piece)
            found = super().read(piece, *rest, **options)
            if hooks.after_read:
                hooks.after_read(self.view, piece)
            return found

        def rows(self, partition: int, offsets: OffsetRange, *rest: Any, **options: Any) -> Rows:
            if hooks.before_rows:
                hooks.before_rows(self.view, offsets)
            return super().rows(partition, offsets, *rest, **options)

    monkeypatch.setattr(kafka, "KafkaSource", HookedSource)
