"""Log directories as a read-only broker, so that any client can read a snapshot without starting Kafka."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcompare import _native
from kcompare.engine.interrupt import interruptible
from kcompare.errors import SourceError, UsageError
from kcompare.serve_model import Served, ServedPartition, ServedTopic
from kcompare.settings.listen import address_of, is_loopback
from kcompare.settings.quoting import quoted
from kcompare.sources.logdir import LogdirCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcompare.model import View
    from kcompare.sources.logdir import LogdirSource


@dataclass(frozen=True, slots=True)
class ServeRequest:
    """What to serve, and where. ``host`` is an IP address; port 0 is any that is free."""

    view: View
    host: str
    port: int


def check_served(view: View) -> None:
    """Whether a view is one that can be served.

    Raises:
        UsageError: it is a cluster, which serves itself.
    """
    if not view.is_directory:
        raise UsageError(
            f"serve shows log directories to Kafka clients, and {quoted(view.text)} is a cluster already; "
            "write logdir:PATH/ or logdir:PATH/TOPIC"
        )


@contextlib.contextmanager
def serving(request: ServeRequest) -> Iterator[Served]:
    """Serves log directories until the block ends. An interrupt ends the look at them at once.

    Raises:
        UsageError: no log directory, no such topic, or an address that cannot be listened on.
        SourceError: a partition cannot be read.
        InterruptedRunError: interrupted before everything was looked at.
    """
    check_served(request.view)
    cancel = _native.CancelToken()
    broker, served = interruptible(lambda: _start(request, cancel), cancel)
    try:
        yield served
    finally:
        # The broker waits for the threads of its connections, and one may be searching for a timestamp.
        cancel.cancel()
        broker.stop()


def _start(request: ServeRequest, cancel: _native.CancelToken) -> tuple[_native.DirectoryBroker, Served]:
    view, host = request.view, request.host
    cluster = LogdirCluster(view.paths, cancel)
    names = (view.topic,) if view.topic else cluster.topics()
    if not names:
        raise UsageError(f"view {quoted(view.text)} holds no topic to serve; name the directory in which TOPIC-0 lies")
    sources = [cluster.source(view.of(name)) for name in names]
    identities = [source.identity() for source in sources]
    topics = tuple(_topic(source) for source in sources)
    try:
        broker = cluster.serve(names, host, request.port, cancel)
    except OSError as error:
        raise UsageError(
            f"{address_of(host, request.port)} cannot be listened on ({error}); choose another with --listen HOST:PORT"
        ) from error
    served = Served(
        view=view.text,
        address=address_of(host, broker.port),
        everywhere=not is_loopback(host),
        cluster_id=identities[0].cluster_id,
        node_id=identities[0].node_id,
        topics=topics,
    )
    return broker, served


def _topic(source: LogdirSource) -> ServedTopic:
    bounds, problems = source.bounds()
    for problem in problems:
        raise SourceError(
            f"{problem.message}; a topic that is served without a partition would look complete, so repair it or "
            "serve the other topics one by one"
        )
    lost = source.lost()
    partitions = (ServedPartition(found, lost.get(found.partition, ())) for found in bounds)
    return ServedTopic(source.view.topic, tuple(partitions))
