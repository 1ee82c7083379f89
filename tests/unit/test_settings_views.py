"""Views: what is read, and that a refusal is one sentence that names the value but never a password."""

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompare.errors import UsageError
from kcompare.settings.secrets import speaks_of_a_secret
from kcompare.settings.views import kind_of, parse_cluster_view, parse_view, redact, redact_within

HOST = st.one_of(
    st.from_regex(r"[a-z0-9_][a-z0-9._-]{0,30}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)
TOPIC = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=249).filter(
    lambda name: name not in {".", ".."}
)
PORT = st.one_of(st.none(), st.integers(1, 65_535))


@pytest.mark.parametrize(
    ("text", "bootstrap", "topic"),
    [
        ("kafka://broker:9093/orders", (("broker", 9093),), "orders"),
        ("kafka://broker/orders", (("broker", 9092),), "orders"),
        ("kafka://a:1,b,10.0.0.1:3/x.y_z-1", (("a", 1), ("b", 9092), ("10.0.0.1", 3)), "x.y_z-1"),
        ("kafka://[::1]:19092/t", (("::1", 19092),), "t"),
        ("kafka://[2001:db8::7],[fe80::1%eth0]:5/t", (("2001:db8::7", 9092), ("fe80::1%eth0", 5)), "t"),
    ],
)
def test_a_view_is_read(text: str, bootstrap: tuple[tuple[str, int], ...], topic: str) -> None:
    view = parse_view(text)
    assert (view.text, view.kind, view.topic, view.bootstrap) == (text, "kafka", topic, bootstrap)


@given(st.lists(st.tuples(HOST, PORT), min_size=1, max_size=5), TOPIC)
def test_every_view_that_is_written_is_read_back(servers: list[tuple[str, int | None]], topic: str) -> None:
    written = ",".join(host if port is None else f"{host}:{port}" for host, port in servers)
    view = parse_view(f"kafka://{written}/{topic}")
    assert view.topic == topic
    assert view.bootstrap == tuple((host.strip("[]"), port or 9092) for host, port in servers)


@pytest.mark.parametrize(
    ("text", "paths", "topic"),
    [
        ("logdir:/var/kafka/orders", ("/var/kafka",), "orders"),
        ("logdir:/orders", ("/",), "orders"),
        ("logdir:./orders", (".",), "orders"),
        ("logdir:../data/orders", ("../data",), "orders"),
        ("logdir:/a/t,b/t,/c d/@=:\u202e/t", ("/a", "b", "/c d/@=:\u202e"), "t"),
        ("logdir:/a,,b/t,/c/t", ("/a,b", "/c"), "t"),
        ("logdir:/a//t", ("/a/",), "t"),
    ],
)
def test_a_view_of_log_directories_is_read(text: str, paths: tuple[str, ...], topic: str) -> None:
    view = parse_view(text)
    assert (view.text, view.kind, view.topic, view.paths, view.bootstrap) == (text, "logdir", topic, paths, ())


PATH = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    lambda path: not path.startswith(",") and not path.endswith(("/", ","))
)


@given(st.lists(PATH, min_size=1, max_size=4, unique=True), TOPIC)
def test_every_list_of_paths_that_is_written_is_read_back(paths: list[str], topic: str) -> None:
    written = "logdir:" + ",".join(f"{path.replace(',', ',,')}/" for path in paths)
    if speaks_of_a_secret(written):
        return
    cluster = parse_cluster_view(written)
    assert (cluster.topic, cluster.paths) == ("", tuple(paths))
    view = cluster.of(topic)
    assert (view.topic, view.paths) == (topic, tuple(paths))
    assert parse_view(view.text) == view


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a view is empty"),
        ("kafka://h:1/", "names no topic; write 'kafka://h:1/TOPIC'"),
        ("kafka://h:1", "names no topic; write 'kafka://h:1/TOPIC'"),
        ("kafka://h\x1b]0;x\x07\u202e/", "names no host"),
        ("kafka:///t", "names no broker"),
        ("kafka://h,/t", "names no host"),
        ("kafka://h:/t", "no port from 1 to 65535"),
        ("kafka://h:0/t", "no port from 1 to 65535"),
        ("kafka://h:65536/t", "no port from 1 to 65535"),
        ("kafka://h:٣/t", "no port from 1 to 65535"),
        ("kafka://::1:9092/t", "more than one ':'"),
        ("kafka://[::1/t", "is no IPv6 address"),
        ("kafka://[::1]9092/t", "is no IPv6 address"),
        ("kafka://[10.0.0.1]:1/t", "is no IPv6 address"),
        ("kafka://[fe80::1%]:1/t", "is no IPv6 address"),
        ("kafka://h ost:1/t", "names no host"),
        ("kafka://h:1/a/b", "no legal topic name"),
        ("kafka://h:1/t?x=1", "no legal topic name"),
        ("kafka://h:1/..", "no legal topic name"),
        ("kafka://h:1/" + "t" * 250, "no legal topic name"),
        ("kafka://h:1/t\n", "no legal topic name"),
        ("/var/kafka/t", "is a path; write 'logdir:/var/kafka/t'"),
        ("logdir:", "has an item without a path"),
        ("logdir:t", "is no path and topic; write logdir:PATH/TOPIC[,PATH/TOPIC...], such as './t'"),
        ("logdir:/a/t,", "has an item without a path"),
        ("logdir:/a/t,/b/u", "names topic 't' in '/a' and 'u' in '/b'"),
        ("logdir:/a/t,/b/", "names topic 't' in '/a' and '' in '/b'"),
        ("logdir:/a/t,/b/t,/a/t", "names the path '/a' twice"),
        ("logdir:/a,b/t", "names topic 'a' in '/' and 't' in 'b'"),
        ("logdir:/a/t t", "topic 't t' in view 'logdir:/a/t t' is no legal topic name"),
        ("logdir:/a/..", "no legal topic name"),
        ("logdir:/a/\0/t", "holds a NUL"),
        ("logdir:/a/", "names no topic; write 'logdir:/a/TOPIC'"),
        ("logdir:/a/,/b,,c/", "names no topic; write 'logdir:/a/TOPIC,/b,,c/TOPIC'"),
        ("fingerprint:blogs.kcf", "a fingerprint, which cannot be read yet"),
        ("./blogs.kcf", "a fingerprint, which cannot be read yet"),
        ("prod/blogs", "clusters cannot be named in a file yet"),
        ("http://h/t", "begins with 'http://'"),
        ("KAFKA://h/t", "begins with 'KAFKA://'"),
        ("kafka://h/" + "x" * 5000, "over the limit of 4096"),
    ],
)
def test_a_refusal_names_the_value_and_the_way_out(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_view(text)
    message = str(caught.value)
    assert says in message
    assert "write " in message
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 1_000


@pytest.mark.parametrize(
    "text",
    ["kafka://bob:s3cret@h:1/t", "bob:s3cret@h:1/t", "kafka://bob:s3/cr@et@h:1/t", "sasl://bob:s3cret@h/t"],
)
def test_a_password_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_view(text)
    assert "***@h" in str(caught.value)
    for leaked in ("s3", "cret", "bob"):
        assert leaked not in str(caught.value)
        assert leaked not in redact(text)


def test_a_password_within_a_sentence_is_redacted() -> None:
    told = redact_within("got kafka://bob:s3cret@h/t and kafka://h/t, bound right:@2026-11-01T00:00:00Z")
    assert told == "got kafka://***@h/t and kafka://h/t, bound right:@2026-11-01T00:00:00Z"


def test_redaction_leaves_other_views_alone() -> None:
    for text in ("kafka://h:1/t", "logdir:/a@b/t", "fingerprint:a@b.kcf", "prod/t"):
        assert redact(text) == text


def test_the_kind_is_known_also_where_the_view_is_refused() -> None:
    views = ["kafka://h/", "logdir:x", "fingerprint:x", "prod/t"]
    assert [kind_of(text) for text in views] == ["kafka", "logdir", "fingerprint", "unknown"]


@given(st.one_of(st.text(), st.text("kafka:/[]%.,@1t\u0663 \x1b\udc80").map("kafka://".__add__)))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(UsageError):
        assert parse_view(text).bootstrap
