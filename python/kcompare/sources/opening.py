"""From a view to what it is read from: the one place that knows which client reads what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.model import DataPath
from kcompare.sources.kafka import KafkaCluster
from kcompare.sources.logdir import LogdirCluster

if TYPE_CHECKING:
    from kcompare._native import CancelToken, RateLimit
    from kcompare.model import View
    from kcompare.settings.cluster import ClusterSettings
    from kcompare.sources.base import Cluster


def open_cluster(
    view: View,
    settings: ClusterSettings,
    cancel: CancelToken,
    rate: RateLimit | None = None,
) -> Cluster:
    """Opens log directories, or connects to a cluster by the data path that the settings name.

    Reading records keeps to ``rate``.

    Raises:
        UsageError: a log directory that is none.
        SourceError: it could not be reached or read, or refuses us.
    """
    if view.is_directory:
        return LogdirCluster(view.paths, cancel, rate)
    if settings.data_path is DataPath.CONSUMER:
        # confluent-kafka takes a while to import, and who does not need it need not have it.
        from kcompare.sources.consumer_source import ConsumerCluster

        return ConsumerCluster(view.bootstrap, settings, cancel, rate)
    return KafkaCluster(view.bootstrap, settings, cancel, rate)
