"""The JSON Schemas (draft 2020-12) of the documents, shipped so that a consumer can hold them to it."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Literal


def load(name: Literal["report", "tail", "check"]) -> dict[str, Any]:
    """The schema of ``kcompare.report/1``, ``kcompare.tail/1`` or ``kcompare.check/1``."""
    text = files(__name__).joinpath(f"kcompare.{name}-1.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
