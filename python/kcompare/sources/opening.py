"""From settings to an open cluster: the one place that knows which client reads what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcompare.model import DataPath
from kcompare.sources.kafka import KafkaCluster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcompare._native import CancelToken, RateLimit
    from kcompare.settings.cluster import ClusterSettings
    from kcompare.sources.base import Cluster


def open_cluster(
    bootstrap: Sequence[tuple[str, int]],
    settings: ClusterSettings,
    cancel: CancelToken,
    rate: RateLimit | None = None,
) -> Cluster:
    """Connects to a cluster by the data path that the settings name. Reading records keeps to ``rate``.

    Raises:
        SourceError: it could not be reached, or refuses us.
    """
    if settings.data_path is DataPath.CONSUMER:
        # confluent-kafka takes a while to import, and who does not need it need not have it.
        from kcompare.sources.consumer_source import ConsumerCluster

        return ConsumerCluster(bootstrap, settings, cancel, rate)
    return KafkaCluster(bootstrap, settings, cancel, rate)
