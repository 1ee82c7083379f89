"""How to talk to a cluster: from what a user has to validated settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from kcompare.model import DataPath

PLAINTEXT = "PLAINTEXT"
NOTHING_MORE = "auto: no property needs librdkafka"


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Names, time limits in milliseconds, and what reads the cluster. :mod:`kcompare.settings.properties` makes it.

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
    data_path_reason: str = NOTHING_MORE
    properties: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def security_protocol(self) -> str:
        """``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT`` or ``SASL_SSL``."""
        return dict(self.properties).get("security.protocol", PLAINTEXT)

    @property
    def tls_unverified(self) -> bool:
        """Whether TLS is used without checking who answers, which the report has to say."""
        if not self.security_protocol.endswith("SSL"):
            return False
        found = dict(self.properties)
        unchecked = found.get("enable.ssl.certificate.verification") == "false"
        return unchecked or found.get("ssl.endpoint.identification.algorithm") == "none"
