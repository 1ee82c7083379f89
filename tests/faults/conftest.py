"""Two brokers of this process for each test, on loopback, which misbehave as they are told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clusters import READ_ONLY_APIS, Clusters, FakeCluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clusters() -> Iterator[Clusters]:
    with FakeCluster("left") as left, FakeCluster("right") as right:
        yield Clusters(left, right)
        for side in (left, right):
            assert set(side.broker.requests()) <= READ_ONLY_APIS


@pytest.fixture(params=["left", "right"])
def side(request: pytest.FixtureRequest) -> str:
    """The side that misbehaves."""
    name: str = request.param
    return name
