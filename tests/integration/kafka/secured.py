"""A broker that has listeners with TLS and with a login beside the plain one."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from tests.integration.kafka.broker import HOST, PROPERTIES, Broker, free_port
from tests.integration.kafka.cluster import TIMEOUT_S, Cluster
from tests.integration.kafka.tls import PASSWORD, Certificates, make_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "auditor"
USER_PASSWORD = "user-password-9d27"  # noqa: S105  (of a cluster that lives as long as a test)

_LOGIN_MODULES = "org.apache.kafka.common.security"


class SecuredBroker(Broker):
    """A broker with ``SASL_SSL`` (PLAIN and SCRAM-SHA-512) and ``SSL`` (which asks clients for a certificate)."""

    def __init__(self, folder: Path, name: str, certificates: Certificates, *, logs: Path | None = None) -> None:
        self.sasl_port, self.ssl_port = free_port(), free_port()
        self.certificates = certificates
        super().__init__(folder, name, logs=logs)

    def _addresses(self) -> dict[str, str]:
        found = super()._addresses()
        secured = f",LOGIN://{HOST}:{self.sasl_port},CERTIFIED://{HOST}:{self.ssl_port}"
        protocols = "listener.security.protocol.map"
        plain = f'{_LOGIN_MODULES}.plain.PlainLoginModule required user_{USER}="{USER_PASSWORD}";'
        return found | {
            "listeners": found["listeners"] + secured,
            "advertised.listeners": found["advertised.listeners"] + secured,
            protocols: f"{PROPERTIES[protocols]},LOGIN:SASL_SSL,CERTIFIED:SSL",
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.location": str(self.certificates.broker),
            "ssl.keystore.password": PASSWORD,
            "ssl.key.password": PASSWORD,
            "ssl.truststore.type": "PKCS12",
            "ssl.truststore.location": str(self.certificates.truststore),
            "ssl.truststore.password": PASSWORD,
            "listener.name.certified.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.login.plain.sasl.jaas.config": plain,
            "listener.name.login.scram-sha-512.sasl.jaas.config": f"{_LOGIN_MODULES}.scram.ScramLoginModule required;",
        }


class SecuredCluster(Cluster):
    """The cluster of a secured broker; tests fill it through its plain listener."""

    broker: SecuredBroker

    def login_view(self, topic: str) -> str:
        """Returns the topic as a view of the listener that asks for a login."""
        return f"kafka://{HOST}:{self.broker.sasl_port}/{topic}"

    def certified_view(self, topic: str) -> str:
        """Returns the topic as a view of the listener that asks for a certificate."""
        return f"kafka://{HOST}:{self.broker.ssl_port}/{topic}"

    def add_user(self) -> None:
        """Stores the SCRAM credentials of :data:`USER`, which a KRaft cluster keeps as metadata."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        wanted = UserScramCredentialUpsertion(USER, info, USER_PASSWORD.encode())
        for done in self.admin.alter_user_scram_credentials([wanted]).values():
            done.result(TIMEOUT_S)


@contextlib.contextmanager
def start_secured(*, logs: Path | None = None) -> Iterator[SecuredCluster]:
    """Starts a secured cluster, and ends it and removes its data and keys on the way out."""
    folder = Path(tempfile.mkdtemp(prefix="kcompare-secured-"))
    try:
        cluster = SecuredCluster(SecuredBroker(folder / "secured", "secured", make_certificates(folder), logs=logs))
        try:
            cluster.start()
            cluster.add_user()
            yield cluster
        finally:
            cluster.kill()
    finally:
        shutil.rmtree(folder)
