"""A real cluster that asks for TLS and a login: read by librdkafka, chosen by itself, and no secret in any output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.kafka.secured import USER, USER_PASSWORD
from tests.integration.kafka.tls import PASSWORD, make_certificates
from tests.integration.support import (
    Answer,
    compare,
    fresh,
    load,
    plain_records,
    run,
    start,
    tail,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.kafka import Pair
    from tests.integration.kafka.secured import SecuredCluster

WRONG = "wrong-password-61f0"
SECRETS = (USER_PASSWORD, PASSWORD, WRONG)
REASON = "auto: security.protocol SASL_SSL needs librdkafka"


class Topics(NamedTuple):
    """The same records on a plain and on the secured cluster, in other batches."""

    plain: str
    name: str


@pytest.fixture(scope="module")
def topics(kafka: Pair, secured: SecuredCluster) -> Topics:
    name = fresh("secured")
    for cluster, size in ((kafka.left, 7), (secured, 11)):
        cluster.create_topic(name, 2)
        load(cluster, name, {0: plain_records(50), 1: plain_records(30)}, sizes=[size])
    return Topics(kafka.left.view(name), name)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOD", USER_PASSWORD)
    monkeypatch.setenv("WRONG", WRONG)
    monkeypatch.setenv("STORE", PASSWORD)


def login(secured: SecuredCluster, *entries: str, flag: str = "-R", mechanism: str = "SCRAM-SHA-512") -> list[str]:
    """The flags of a login, with the right password unless ``entries`` say otherwise."""
    lines = {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(secured.broker.certificates.ca),
        "sasl.mechanism": mechanism,
        "sasl.username": USER,
        "sasl.password": "{env=GOOD}",
    }
    lines |= dict(entry.split("=", 1) for entry in entries)
    return [part for key, value in lines.items() if value for part in (flag, f"{key}={value}")]


def equal(found: Answer) -> None:
    assert (found.code, found.verdict) == (0, "EQUAL"), found.why
    assert found.document["totals"]["compared_records"] == 80
    assert_silent(json.dumps(found.document), found.stderr)


def assert_silent(*texts: str) -> None:
    for text in texts:
        for secret in SECRETS:
            assert secret not in text


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_cluster_with_a_login_against_a_plain_one(secured: SecuredCluster, topics: Topics, mechanism: str) -> None:
    found = compare(topics.plain, secured.login_view(topics.name), *login(secured, mechanism=mechanism))
    equal(found)
    left, right = found.document["left"], found.document["right"]
    assert (left["data_path"], left["data_path_reason"]) == ("native", "auto: no property needs librdkafka")
    assert (right["data_path"], right["data_path_reason"]) == ("consumer", REASON)
    assert found.document["notes"] == ["right_headers_as_delivered"]


def test_a_config_file_with_the_password_in_it_or_elsewhere(
    secured: SecuredCluster, topics: Topics, tmp_path: Path
) -> None:
    lines = login(secured)[1::2]
    (tmp_path / "password").write_text(f"{USER_PASSWORD}\n")
    for number, value in enumerate((USER_PASSWORD, f"{{file={tmp_path / 'password'}}}", "{env=GOOD}")):
        path = tmp_path / f"{number}.properties"
        path.write_text("\n".join(["# the audited cluster", *lines[:-1], f"sasl.password={value}", ""]))
        equal(compare(secured.login_view(topics.name), topics.plain, "--left-config", str(path)))


def test_a_client_that_shows_a_certificate(secured: SecuredCluster, topics: Topics) -> None:
    certificates = secured.broker.certificates
    entries = (
        "security.protocol=SSL",
        f"ssl.ca.location={certificates.ca}",
        f"ssl.keystore.location={certificates.client}",
        "ssl.keystore.password={env=STORE}",
    )
    flags = [part for entry in entries for part in ("-R", entry)]
    found = compare(topics.plain, secured.certified_view(topics.name), *flags)
    equal(found)
    assert found.document["right"]["data_path"] == "consumer"


def test_tls_that_checks_nobody_is_said_in_the_report(secured: SecuredCluster, topics: Topics) -> None:
    flags = login(secured, "ssl.ca.location=", "enable.ssl.certificate.verification=false")
    found = compare(topics.plain, secured.login_view(topics.name), *flags)
    equal(found)
    assert found.document["notes"] == ["right_tls_unverified", "right_headers_as_delivered"]
    text = run("compare", topics.plain, secured.login_view(topics.name), *flags)
    assert "\nnotes    right_tls_unverified, right_headers_as_delivered\n" in text.stdout
    assert (
        f"\npath     native (auto: no property needs librdkafka) on left, consumer ({REASON}) on right\n" in text.stdout
    )


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_wrong_password_is_a_refusal(secured: SecuredCluster, topics: Topics, mechanism: str) -> None:
    flags = login(secured, "sasl.password={env=WRONG}", mechanism=mechanism)
    found = compare(topics.plain, secured.login_view(topics.name), *flags, "--request-timeout", "10s")
    assert (found.code, found.verdict) == (4, "INCONCLUSIVE"), found.why
    (error,) = found.document["errors"]
    assert (error["side"], error["code"], error["fatal"]) == ("right", "REFUSED", True)
    assert "uthentication" in error["message"]
    assert found.document["totals"]["compared_records"] == 0
    assert found.seconds < 20
    assert_silent(json.dumps(found.document), found.stderr)


def test_nothing_of_a_wrong_password_is_in_a_traceback_or_an_export(
    secured: SecuredCluster, topics: Topics, tmp_path: Path
) -> None:
    export = tmp_path / "report.txt"
    flags = [*login(secured, "sasl.password={env=WRONG}"), "--request-timeout", "10s", "--export", f"text={export}"]
    process = start("compare", topics.plain, secured.login_view(topics.name), *flags, "--debug")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 4
    assert_silent(stdout, stderr, export.read_text())


def test_a_certificate_that_nobody_vouches_for(secured: SecuredCluster, topics: Topics, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    flags = login(secured, f"ssl.ca.location={make_certificates(stranger).ca}")
    found = compare(topics.plain, secured.login_view(topics.name), *flags, "--request-timeout", "10s")
    assert (found.code, found.verdict) == (5, "INCONCLUSIVE"), found.why
    (error,) = found.document["errors"]
    assert error["side"] == "right"
    assert "certificate" in error["message"]
    assert found.seconds < 20
    assert_silent(json.dumps(found.document), found.stderr)


def test_a_tail_of_both(secured: SecuredCluster, topics: Topics) -> None:
    found = tail(secured.login_view(topics.name), topics.plain, "-n", "3", *login(secured, flag="-L"))
    assert found.code == 0, found.stderr
    first, second = found.document["views"]
    assert first["partitions"] == second["partitions"]
    assert (first["data_path"], second["data_path"]) == ("consumer", "native")
    assert first["data_path_reason"] == REASON
    assert_silent(json.dumps(found.document), found.stderr)
    other = tail(topics.plain, secured.login_view(topics.name), "-n", "3", *login(secured))
    assert [view["data_path"] for view in other.document["views"]] == ["native", "consumer"]
    wrong = tail(secured.login_view(topics.name), *login(secured, "sasl.password={env=WRONG}", flag="-L"))
    assert wrong.code == 4
    assert_silent(json.dumps(wrong.document), wrong.stderr)


def test_the_consumer_can_be_asked_for_on_plain_listeners(secured: SecuredCluster, topics: Topics) -> None:
    found = compare(topics.plain, secured.view(topics.name), "--data-path", "consumer")
    equal(found)
    for side in ("left", "right"):
        view = found.document[side]
        assert (view["data_path"], view["data_path_reason"]) == ("consumer", "--data-path consumer")
    native = compare(topics.plain, secured.view(topics.name), "--data-path", "native")
    equal(native)
    assert native.document["topics"] == found.document["topics"]
