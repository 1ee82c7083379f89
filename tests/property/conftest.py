"""Two brokers that all random topics of a module live on, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clusters import Clusters, FakeCluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def clusters() -> Iterator[Clusters]:
    with FakeCluster("left") as left, FakeCluster("right") as right:
        yield Clusters(left, right)
