"""Client properties: what is taken and refused, from flags and files, and what reads a cluster because of them."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException
from hypothesis import given
from hypothesis import strategies as st

from kcompare.errors import UsageError
from kcompare.model import DataPath
from kcompare.settings.allowlist import ALIASES, ALLOWED, Kind, refusal
from kcompare.settings.cluster import ClusterSettings
from kcompare.settings.properties import cluster_settings
from kcompare.settings.secrets import is_secret

CANARY = "canary-7f3e"
SCRAM = ("security.protocol=SASL_SSL", "sasl.mechanism=SCRAM-SHA-512", "sasl.username=me")


def settings(*entries: str, file: Path | None = None, path: DataPath | None = None) -> ClusterSettings:
    config = None if file is None else str(file)
    return cluster_settings("-R", entries, config, path, request_timeout_ms=30_000, stall_timeout_ms=60_000)


def refused(*entries: str, file: Path | None = None, path: DataPath | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        settings(*entries, file=file, path=path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


@pytest.fixture
def config(tmp_path: Path) -> Any:
    def write(text: str | bytes) -> Path:
        path = tmp_path / "client.properties"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_without_properties_the_native_client_reads() -> None:
    made = settings()
    assert made == ClusterSettings()
    assert made.data_path_reason == "auto: no property needs librdkafka"
    assert (made.data_path, made.properties, made.tls_unverified) == (DataPath.NATIVE, (), False)


def test_what_the_native_client_knows_is_mapped() -> None:
    made = settings("client.id=audit", "client.rack=b", "socket.connection.setup.timeout.ms=2000")
    assert (made.client_id, made.rack_id, made.connect_timeout_ms) == ("audit", "b", 2_000)
    assert made.data_path is DataPath.NATIVE
    assert settings("security.protocol=plaintext").data_path is DataPath.NATIVE


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (("security.protocol=ssl",), "auto: security.protocol SSL needs librdkafka"),
        ((*SCRAM, "sasl.password={env=SECRET}"), "auto: security.protocol SASL_SSL needs librdkafka"),
        (("socket.keepalive.enable=true",), "auto: socket.keepalive.enable needs librdkafka"),
        (("client.id=a", "broker.address.family=v4"), "auto: broker.address.family needs librdkafka"),
        (
            ("security.protocol=PLAINTEXT", "ssl.cipher.suites=DEFAULT"),
            "auto: ssl.cipher.suites needs librdkafka",
        ),
    ],
)
def test_what_the_native_client_lacks_is_read_by_librdkafka(
    monkeypatch: pytest.MonkeyPatch, entries: tuple[str, ...], reason: str
) -> None:
    monkeypatch.setenv("SECRET", CANARY)
    made = settings(*entries)
    assert (made.data_path, made.data_path_reason) == (DataPath.CONSUMER, reason)
    asked = settings(*entries, path=DataPath.CONSUMER)
    assert (asked.data_path, asked.data_path_reason) == (DataPath.CONSUMER, "--data-path consumer")
    told = refused(*entries, path=DataPath.NATIVE)
    assert "--data-path native does without" in told
    assert reason.split()[1] in told


def test_a_data_path_can_be_asked_for() -> None:
    for path in DataPath:
        made = settings("client.id=a", path=path)
        assert (made.data_path, made.data_path_reason) == (path, f"--data-path {path.value}")


def test_flags_win_over_the_file(config: Any) -> None:
    file = config(
        "# of cluster b\n\n! and Java's comment\r\nclient.id = from file \nclient.rack=r1\nreconnect.backoff.ms=7\n"
    )
    made = settings("client.rack=r2", file=file)
    assert made.properties == (("client.id", "from file"), ("client.rack", "r2"), ("reconnect.backoff.ms", "7"))
    assert (made.client_id, made.rack_id) == ("from file", "r2")


def test_a_value_may_hold_anything_behind_the_first_equals_sign(config: Any) -> None:
    file = config("security.protocol=SASL_SSL\nsasl.mechanisms=plain\nsasl.username=a=b\nsasl.password= #p=w{x} \n")
    assert dict(settings(file=file).properties) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "a=b",
        "sasl.password": "#p=w{x}",
    }


def test_references_are_resolved_wholly_and_in_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAME", "{file=/etc/passwd}")
    (tmp_path / "part").write_text("two\n\n")
    made = settings(f"client.id=a-{{env=NAME}}-{{file={tmp_path / 'part'}}}")
    # What is put in is not looked at again, and one newline goes.
    assert made.client_id == "a-{file=/etc/passwd}-two\n"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("{env=NO_SUCH_NAME}", "'{env=NO_SUCH_NAME}', but the environment has no such variable; export it"),
        ("{env=EMPTY}", "'{env=EMPTY}', which is empty"),
        ("{file=/no/such/file}", "'{file=/no/such/file}', which cannot be read (No such file or directory)"),
        ("{file=/}", "'{file=/}', which cannot be read (Is a directory)"),
        ("{file=\0}", "no such name can be"),
        ("{file=/dev/zero}", "'{file=/dev/zero}', which is over 1 MiB"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(monkeypatch: pytest.MonkeyPatch, written: str, says: str) -> None:
    monkeypatch.setenv("EMPTY", "")
    sentence = refused(*SCRAM, f"sasl.password={written}")
    assert sentence.startswith("-R sasl.password ")
    assert says in sentence


@pytest.mark.parametrize("written", ["{env=}", "{env=A", "x{file", "{env=HOME}{file=/x"])
def test_a_reference_that_does_not_end(written: str) -> None:
    assert "-R client.id has a reference that does not end; write {env=NAME}" in refused(f"client.id={written}")


def test_a_referenced_file_that_is_no_text_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(CANARY.encode() + b"\xff")
    with pytest.raises(UsageError, match="is no UTF-8 text") as caught:
        settings(f"client.id={{file={tmp_path / 'key'}}}")
    assert caught.value.__cause__ is None
    assert CANARY not in str(caught.value)


SECRETS = [name for name, kind in ALLOWED.items() if kind is Kind.TEXT and is_secret(name)]


def test_every_secret_of_librdkafka_is_known_as_one() -> None:
    assert set(SECRETS) >= {
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "sasl.password",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.extensions",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
    }
    public = {"sasl.username", "sasl.oauthbearer.client.id", "sasl.oauthbearer.token.endpoint.url", "ssl.key.location"}
    assert not [name for name in public if is_secret(name)]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_on_the_command_line_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, config: Any, name: str
) -> None:
    sentence = refused(f"{name}={CANARY}")
    assert CANARY not in sentence
    assert f"write -R {name}={{env=NAME}} or {{file=PATH}}, or put it into a file for --right-config" in sentence
    monkeypatch.setenv("SECRET", CANARY)
    by_env = settings("security.protocol=ssl", f"{name}={{env=SECRET}}")
    by_file = settings("security.protocol=ssl", file=config(f"{name}={CANARY}"))
    for made in (by_env, by_file):
        assert dict(made.properties)[name] == CANARY
        assert CANARY not in repr(made) + str(made)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("bootstrap.servers=b:1", "come from the view"),
        ("plugin.library.paths=/x.so", "loads code"),
        ("ssl.engine.location=/x.so", "loads code"),
        ("interceptor.classes=x", "loads code"),
        ("sasl.kerberos.kinit.cmd=rm -rf /", "runs a shell command"),
        ("isolation.level=read_committed", "use --isolation"),
        ("check.crcs=false", "is set by kcompare itself"),
        ("auto.offset.reset=earliest", "is set by kcompare itself"),
        ("enable.auto.commit=true", "is set by kcompare itself"),
        ("enable.auto.offset.store=true", "is set by kcompare itself"),
        ("allow.auto.create.topics=true", "is set by kcompare itself"),
        ("enable.metrics.push=true", "is set by kcompare itself"),
        ("group.id=g", "is set by kcompare itself"),
        ("debug=all", "secrets may be among what it tells"),
        ("log_level=7", "secrets may be among what it tells"),
        ("statistics.interval.ms=1", "secrets may be among what it tells"),
        ("error_cb=x", "secrets may be among what it tells"),
        ("socket.timeout.ms=1", "use --request-timeout"),
        ("fetch.message.max.bytes=1", "use --budget"),
        ("test.mock.num.brokers=3", "replaces the cluster"),
        ("topic.blacklist=.*", "connects or authenticates, and kcompare takes no others"),
        ("key.deserializer=x", "connects or authenticates, and kcompare takes no others"),
        ("sasl.pasword={env=X}", "did you mean sasl.password"),
        ("sasl.jaas.config={env=X}", "as sasl.username and its password as sasl.password"),
        ("ssl.truststore.location=/x.jks", "write ssl.ca.location"),
        ("ssl.trustore.location=/x.jks", "did you mean ssl.truststore.location"),
        ("ssl.keystore.type=JKS", "PKCS#12"),
        ("ssl.keystore.key={env=X}", "write ssl.key.pem"),
    ],
)
def test_a_property_that_is_not_taken_is_refused_with_the_way_out(config: Any, entry: str, says: str) -> None:
    sentence = refused(entry)
    name, _, value = entry.partition("=")
    assert sentence.startswith(f"-R {name} ")
    assert says in sentence
    in_file = refused(file=config(f"\n{entry}\n"))
    assert in_file.startswith(f"{name} in line 2 of --right-config '")
    assert says in in_file
    assert value not in sentence.removeprefix(f"-R {name}") or len(value) == 1


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("security.protocol=tls", "-R security.protocol 'tls' is none of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ("security.protocol=", "has no value; give it one"),
        ("ssl.endpoint.identification.algorithm=", "write none, or https"),
        ("enable.ssl.certificate.verification=no", "'no' is neither true nor false"),
        ("reconnect.backoff.ms=-1", "'-1' is no whole number from 0 to 3600000"),
        ("reconnect.backoff.ms=٣", "is no whole number"),
        ("reconnect.backoff.ms=1s", "is no whole number"),
        ("socket.connection.setup.timeout.ms=999", "from 1000 to"),
        ("ssl.ca.location=/no/such/ca.pem", "names no file that is there"),
        ("sasl.oauthbearer.token.endpoint.url=https://me:pw@idp/token", "is no URL"),
        ("sasl.kerberos.principal=me; rm -rf /", "holds a character"),
        ("ssl.providers=../../evil so", "holds a character"),
        ("client.id=a\0b", "a value that is no text"),
        ("sasl.mechanism=AWS_MSK_IAM", "is none of PLAIN, SCRAM-SHA-256"),
    ],
)
def test_a_value_that_cannot_be_is_refused(config: Any, entry: str, says: str) -> None:
    assert says in refused(entry)
    name, _, value = entry.partition("=")
    in_file = refused(file=config(entry))
    # What stands in a file may be a secret in the wrong line.
    assert f"{name} in line 1 of " in in_file
    assert len(value) < 3 or value not in in_file


def test_a_variable_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYTES", "canary-\udcff")
    assert "-R client.id has a value that is no text" in refused("client.id={env=BYTES}")
    assert "-R client.id has a value that is no text" in refused("client.id=\udcff")


def test_a_bad_value_behind_a_reference_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", CANARY)
    for name, kind in ALLOWED.items():
        if kind not in {Kind.TEXT, Kind.PLAIN_WORDS}:
            sentence = refused(f"{name}={{env=SECRET}}")
            assert CANARY not in sentence
            assert "{env=SECRET}" in sentence


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CANARY, "line 1 of --right-config"),
        (f"\n\nclient.id=a\n{CANARY}", "line 4 of --right-config"),
        (f"client.id: {CANARY}", "has no '='"),
        (f"{CANARY}=1", "does not begin with the name of a property"),
        ("client.id=a\nclient.id=b", "client.id in line 2 of"),
        ("sasl.mechanism=PLAIN\nsasl.mechanisms=PLAIN", "sasl.mechanisms in line 2 of"),
        (b"client.id=\xff", "is no UTF-8 text"),
        (b"#" * (1 << 20) + b"##", "is over 1 MiB"),
    ],
)
def test_a_file_that_is_no_such_file_is_named_with_its_line(config: Any, text: str | bytes, says: str) -> None:
    path = config(text)
    sentence = refused(file=path)
    assert says in sentence
    assert repr(str(path)) in sentence
    assert CANARY not in sentence


@pytest.mark.parametrize(
    "entry", [CANARY, f"{CANARY}==", f"sasl.password:{CANARY}", f"={CANARY}", f"{CANARY.upper()}=1"]
)
def test_what_is_no_property_is_not_repeated(entry: str) -> None:
    sentence = refused("client.id=a", entry)
    assert sentence.startswith("-R number 2 ")
    assert CANARY not in sentence.lower()


def test_a_flag_that_is_given_twice_is_refused() -> None:
    assert refused("client.id=a", "client.id=b") == (
        "-R client.id was set before, by -R client.id; keep one of the two"
    )


def test_a_file_that_is_not_there() -> None:
    sentence = refused(file=Path("/no/such.properties"))
    assert sentence.startswith("--right-config names '/no/such.properties', which cannot be read (No such file")


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        (("ssl.cipher.suites=DEFAULT",), "-R ssl.cipher.suites has no effect without security.protocol"),
        (("sasl.username=me",), "has no effect without security.protocol"),
        (("enable.ssl.certificate.verification=false",), "has no effect without security.protocol"),
        (("security.protocol=SASL_SSL",), "needs a mechanism"),
        (("security.protocol=SASL_SSL", "sasl.mechanism=PLAIN"), "needs sasl.username and sasl.password"),
        (SCRAM, "needs sasl.password"),
    ],
)
def test_what_would_connect_otherwise_than_it_looks_is_refused(entries: tuple[str, ...], says: str) -> None:
    assert says in refused(*entries)


@pytest.mark.parametrize(
    ("entries", "unverified"),
    [
        (("security.protocol=SSL",), False),
        (("security.protocol=SSL", "enable.ssl.certificate.verification=False"), True),
        (("security.protocol=SSL", "enable.ssl.certificate.verification=true"), False),
        (("security.protocol=SSL", "ssl.endpoint.identification.algorithm=NONE"), True),
        (("security.protocol=SSL", "ssl.endpoint.identification.algorithm=https"), False),
        (("security.protocol=PLAINTEXT", "ssl.endpoint.identification.algorithm=none"), False),
    ],
)
def test_tls_that_checks_nobody_is_known(entries: tuple[str, ...], *, unverified: bool) -> None:
    assert settings(*entries).tls_unverified is unverified


def samples(kind: Kind | tuple[str, ...] | range) -> list[str]:
    if isinstance(kind, tuple):
        return list(kind)
    if isinstance(kind, range):
        return [str(kind.start), str(kind.stop - 1)]
    return {Kind.BOOLEAN: ["true", "false"], Kind.URL: ["https://idp.example/token"]}.get(kind, ["default"])


@pytest.mark.parametrize("name", [*ALLOWED, *ALIASES])
def test_librdkafka_takes_everything_that_is_allowed(name: str) -> None:
    """Also: no sentence of its own about a value, which it would repeat."""
    for value in samples(ALLOWED[ALIASES.get(name, name)]):
        with suppress(KafkaException):
            Consumer({"group.id": "none", "log_level": 0, name: value}).close()
            continue
        with pytest.raises(KafkaException) as caught:
            Consumer({"group.id": "none", "log_level": 0, name: value})
        told = str(caught.value)
        assert not re.search(r"No such configuration|Invalid value|outside allowed range", told), (name, value, told)


def test_no_name_that_is_allowed_is_refused_as_well() -> None:
    assert not set(ALIASES) & set(ALLOWED)
    assert set(ALIASES.values()) <= set(ALLOWED)
    for name in ("group.id", "sasl.jaas.config"):
        assert name not in ALLOWED
        assert refusal(name)


@given(st.lists(st.one_of(st.text(), st.text("abcdefgls.=-{}env/\0\udc80\n0123")), max_size=3))
def test_no_text_raises_anything_else(entries: list[str]) -> None:
    with suppress(UsageError):
        settings(*entries)
