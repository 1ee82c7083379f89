"""The properties that the settings make, given to librdkafka as they are, at a real cluster with TLS and logins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from kcompare.settings.properties import cluster_settings
from tests.integration.kafka.broker import HOST
from tests.integration.kafka.secured import USER, USER_PASSWORD
from tests.integration.kafka.tls import PASSWORD
from tests.integration.support import compare, fresh

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.kafka import Pair
    from tests.integration.kafka.secured import SecuredCluster


def ask(port: int, config: Path) -> tuple[bool, set[int]]:
    """Whether the cluster told its topics, and the errors that librdkafka met meanwhile."""
    settings = cluster_settings("-L", (), str(config), None, request_timeout_ms=1_000, stall_timeout_ms=1_000)
    met: set[int] = set()

    def note(error: KafkaError) -> None:
        met.add(error.code())

    options: dict[str, Any] = {**dict(settings.properties), "log_level": 0, "error_cb": note}
    client = AdminClient({**options, "bootstrap.servers": f"{HOST}:{port}"})
    try:
        told = bool(client.list_topics(timeout=5).brokers)
    except KafkaException:
        told = False
    client.poll(0)
    return told, met


@pytest.fixture
def config(secured: SecuredCluster, tmp_path: Path) -> Path:
    """A login that works."""
    path = tmp_path / "client.properties"
    path.write_text(
        "security.protocol=SASL_SSL\n"
        f"ssl.ca.location={secured.broker.certificates.ca}\n"
        "sasl.mechanism=SCRAM-SHA-512\n"
        f"sasl.username={USER}\n"
        f"sasl.password={USER_PASSWORD}\n"
    )
    return path


def change(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert text.count(old) == 1
    config.write_text(text.replace(old, new))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN", "plain"])
def test_a_login(secured: SecuredCluster, config: Path, mechanism: str) -> None:
    change(config, "SCRAM-SHA-512", mechanism)
    assert ask(secured.broker.sasl_port, config) == (True, set())


def test_a_login_by_references(secured: SecuredCluster, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password = config.with_name("password")
    password.write_text(f"{USER_PASSWORD}\n")
    monkeypatch.setenv("CA", str(secured.broker.certificates.ca))
    change(config, USER_PASSWORD, f"{{file={password}}}")
    change(config, str(secured.broker.certificates.ca), "{env=CA}")
    assert ask(secured.broker.sasl_port, config) == (True, set())


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_wrong_password(secured: SecuredCluster, config: Path, mechanism: str) -> None:
    change(config, "SCRAM-SHA-512", mechanism)
    change(config, USER_PASSWORD, "wrong")
    told, met = ask(secured.broker.sasl_port, config)
    assert not told
    assert KafkaError._AUTHENTICATION in met


def test_an_authority_that_does_not_vouch_for_the_broker(secured: SecuredCluster, config: Path) -> None:
    change(config, f"ssl.ca.location={secured.broker.certificates.ca}\n", "")
    told, met = ask(secured.broker.sasl_port, config)
    assert not told
    assert KafkaError._SSL in met
    config.write_text(config.read_text() + "enable.ssl.certificate.verification=FALSE\n")
    assert ask(secured.broker.sasl_port, config) == (True, set())


def test_a_certificate_of_the_client(secured: SecuredCluster, config: Path) -> None:
    certificates = secured.broker.certificates
    lines = ["security.protocol=SSL", f"ssl.ca.location={certificates.ca}"]
    config.write_text("\n".join(lines))
    assert not ask(secured.broker.ssl_port, config)[0]
    lines += [f"ssl.keystore.location={certificates.client}", f"ssl.keystore.password={PASSWORD}"]
    config.write_text("\n".join(lines))
    assert ask(secured.broker.ssl_port, config) == (True, set())


def test_a_client_without_tls_learns_nothing_and_says_so(kafka: Pair, secured: SecuredCluster) -> None:
    topic = fresh("untold")
    for cluster in (kafka.left, secured):
        cluster.create_topic(topic)
    views = kafka.left.view(topic), secured.login_view(topic)
    found = compare(*views, "--request-timeout", "5s", "--stall-timeout", "5s")
    assert (found.code in {3, 5}, found.verdict) == (True, "INCONCLUSIVE")
    assert f"{HOST}:{secured.broker.sasl_port}" in found.stderr
    forced = compare(*views, "-R", "security.protocol=SSL", "--data-path", "native")
    assert (forced.code, forced.verdict) == (2, None)
    assert "-R security.protocol needs librdkafka" in forced.stderr
