"""The options that a report names, because the verdict rests on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.engine.assess import CONTENT
from kcompare.engine.mode import common_mode
from kcompare.model import OptionsReport, RecordField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare.engine.request import CompareRequest
    from kcompare.model import Mode


def options_of(request: CompareRequest, modes: Sequence[tuple[Mode, str]]) -> OptionsReport:
    """What the verdict rests on, with reasons for what was chosen by itself; ``modes`` are those of the topics."""
    mode, mode_reason = common_mode(modes) if modes else (request.mode, "no topic was compared")
    chosen = request.topics
    return OptionsReport(
        mode=mode,
        mode_reason=mode_reason,
        fields=request.fields or (*CONTENT, RecordField.TIMESTAMP),
        fields_reason=(
            "auto: key, value, headers and timestamp, without timestamp in a partition where a batch carries "
            "the broker's"
            if request.fields is None
            else "as named by --fields"
        ),
        left_isolation=request.left_isolation,
        right_isolation=request.right_isolation,
        allow_head=request.allow_head.text if request.allow_head else None,
        allow_tail=request.allow_tail.text if request.allow_tail else None,
        allow_gaps=request.allow_gaps,
        allow_empty=request.allow_empty,
        left_range=request.left_range.text if request.left_range else None,
        right_range=request.right_range.text if request.right_range else None,
        topics=chosen.topics.text if chosen and chosen.topics else None,
        map=tuple(found.text for found in chosen.maps) if chosen else (),
    )
