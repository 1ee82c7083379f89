"""Two real clusters for the session, and a proxy that tells what a client sends."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.kafka import Pair, RecordingProxy, start_pair
from tests.integration.kafka.guarded import start_guarded
from tests.integration.kafka.secured import start_secured

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.integration.kafka.guarded import GuardedCluster
    from tests.integration.kafka.secured import SecuredCluster

PAIR = pytest.StashKey[Pair]()


class Proxies(NamedTuple):
    """A recording proxy in front of each cluster."""

    left: RecordingProxy
    right: RecordingProxy


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Pair]:
    """Two independent clusters, which all tests share; each test uses topics of its own."""
    with start_pair(logs=tmp_path_factory.mktemp("kafka-logs")) as pair:
        pytestconfig.stash[PAIR] = pair
        yield pair
        del pytestconfig.stash[PAIR]


@pytest.fixture(scope="package")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredCluster]:
    """A cluster that asks for TLS and a login, for the tests that are about these."""
    with start_secured(logs=tmp_path_factory.mktemp("secured-logs")) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedCluster]:
    """A cluster that may be stopped, damaged and closed to its readers; each test uses topics of its own."""
    with start_guarded(logs=tmp_path_factory.mktemp("guarded-logs")) as cluster:
        yield cluster


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses."""
    return f"{request.node.name.partition('[')[0]}.{uuid.uuid4().hex[:8]}"


@pytest.fixture
def recording_proxy(kafka: Pair) -> Iterator[Proxies]:
    """A proxy for each cluster that records the requests of every client connection."""
    with contextlib.ExitStack() as stack:
        yield Proxies(*(stack.enter_context(RecordingProxy(cluster.broker)) for cluster in kafka))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the end of the brokers' logs to the report of a test that failed beside them."""
    report = yield
    pair = item.config.stash.get(PAIR, None)
    if report.failed and pair is not None and "kafka" in getattr(item, "fixturenames", ()):
        report.sections.append(("Brokers", pair.log_tails()))
    return report
