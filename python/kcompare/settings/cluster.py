"""How to talk to a cluster: from what a user has to validated settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from kcompare.model import DataPath


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Names and time limits in milliseconds. TLS, SASL and config files come in here, and nowhere else.

    Attributes:
        client_id: what brokers show in their logs and quotas.
        rack_id: only with it does a leader send us to a follower (KIP-392).
        connect_timeout_ms: for one attempt to connect.
        request_timeout_ms: how long a broker may send nothing while it owes an answer.
        stall_timeout_ms: how long a fetch may make no progress before its slice is given up.
        data_path: what reads the cluster.
        data_path_reason: why that, as the report says it.
        properties: client properties by librdkafka's names, ascending, each once, with secrets in them: kept out of
            the ``repr``, which tracebacks and logs show.
    """

    client_id: str = "kcompare"
    rack_id: str | None = None
    connect_timeout_ms: int = 10_000
    request_timeout_ms: int = 30_000
    stall_timeout_ms: int = 60_000
    data_path: DataPath = DataPath.NATIVE
    data_path_reason: str = ""
    properties: tuple[tuple[str, str], ...] = field(default=(), repr=False)
