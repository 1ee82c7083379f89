"""From settings to an open cluster: the one place that knows which client reads what."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    return KafkaCluster(bootstrap, settings, cancel, rate)
