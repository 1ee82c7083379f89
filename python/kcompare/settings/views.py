"""Views: what a user writes for one topic at one source, such as ``kafka://broker:9092/orders``."""

from __future__ import annotations

import ipaddress
import re

from kcompare.errors import UsageError
from kcompare.model import View
from kcompare.settings.directories import FORM as DIRECTORY_FORM
from kcompare.settings.directories import SCHEME as DIRECTORY_SCHEME
from kcompare.settings.directories import parse_directory_view
from kcompare.settings.quoting import quoted
from kcompare.settings.secrets import hide, hide_arguments, speaks_of_a_secret
from kcompare.settings.topic_names import is_legal_topic

DEFAULT_PORT = 9092
"""The port that Kafka's own tools and examples use where none is named."""

MAX_VIEW_LENGTH = 4096
MAX_PORT = 65_535

_FORM = "kafka://HOST:PORT[,HOST:PORT...]/TOPIC"
_FORMS = f"{_FORM} or {DIRECTORY_FORM}"
_SCHEME = "kafka://"
# Names of hosts as resolvers take them; RFC 1123 has no underscore, but container networks do.
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_OTHER_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.ASCII | re.IGNORECASE)
_CREDENTIALS = re.compile(r"://.*@", re.DOTALL)
_CREDENTIALS_WITHIN = re.compile(r"://\S*@")


def redact(text: str) -> str:
    """Replaces what may be a user name and a password in front of an ``@`` by ``***``.

    Neither host nor topic names may hold an ``@``, so everything between ``://`` and the last one goes.
    Paths of ``logdir:`` and ``fingerprint:`` may hold one and are left as they are. A property that was meant for
    ``-L`` or ``-R`` may stand here by mistake, and loses its value.
    """
    if speaks_of_a_secret(text):
        return hide_arguments(text)
    if "://" in text:
        return _CREDENTIALS.sub("://***@", text)
    if "@" in text and not text.startswith((DIRECTORY_SCHEME, "fingerprint:")):
        return "***@" + text.rpartition("@")[2]
    return text


def redact_within(sentence: str) -> str:
    """The same for views that stand somewhere in a text, such as a parser's message, and for every secret."""
    return hide(_CREDENTIALS_WITHIN.sub("://***@", sentence))


def kind_of(text: str) -> str:
    """The kind of source that a view names, or ``unknown``; for the report of a view that is refused."""
    for prefix, kind in ((_SCHEME, "kafka"), (DIRECTORY_SCHEME, "logdir"), ("fingerprint:", "fingerprint")):
        if text.startswith(prefix):
            return kind
    return "unknown"


def parse_view(text: str) -> View:
    """Reads a view of one topic: ``kafka://HOST:PORT[,HOST:PORT...]/TOPIC`` or ``logdir:PATH/TOPIC[,PATH/TOPIC...]``.

    The port is 9092 where none is named, and an IPv6 address stands in brackets.

    Raises:
        UsageError: the text is no such view; the message names it, without what may be a password.
    """
    view = parse_cluster_view(text)
    if not view.topic:
        shown = quoted(redact(text))
        raise UsageError(f"view {shown} names no topic; write {quoted(view.of('TOPIC').text)}")
    return view


def parse_cluster_view(text: str) -> View:
    """Reads a view of one topic, or one that ends in ``/``: a cluster, of which patterns choose topics.

    Raises:
        UsageError: the text is no such view; the message names it, without what may be a password.
    """
    if len(text) > MAX_VIEW_LENGTH:
        raise UsageError(f"a view has {len(text)} characters, over the limit of {MAX_VIEW_LENGTH}; write {_FORMS}")
    shown = quoted(redact(text))
    if speaks_of_a_secret(text):
        raise UsageError(f"view {shown} looks like a client property; give it to -L or -R, and write {_FORM} here")
    if text.startswith(DIRECTORY_SCHEME):
        return parse_directory_view(text, shown)
    if not text.startswith(_SCHEME):
        raise UsageError(_refusal(text, shown))
    if "@" in text:
        raise UsageError(f"view {shown} holds credentials, which every user of the machine can read; write {_FORM}")
    servers, slash, topic = text.removeprefix(_SCHEME).partition("/")
    if not servers:
        raise UsageError(f"view {shown} names no broker; write {_FORM}")
    if not slash:
        raise UsageError(f"view {shown} names no topic; write {quoted(_SCHEME + servers + '/TOPIC')}")
    if topic and not is_legal_topic(topic):
        raise UsageError(
            f"topic {quoted(topic)} in view {shown} is no legal topic name; "
            "write 1 to 249 characters of A-Z, a-z, 0-9, '.', '_' and '-', but neither '.' nor '..'"
        )
    bootstrap = tuple(_server(server, shown) for server in servers.split(","))
    return View(text=text, kind="kafka", topic=topic, bootstrap=bootstrap)


def _refusal(text: str, shown: str) -> str:
    """Why a text that begins with neither scheme is no view, in one sentence with a way out."""
    if text.startswith("fingerprint:") or text.endswith(".kcf"):
        return f"view {shown} is a fingerprint, which cannot be read yet; write what it was taken of as {_FORMS}"
    if other := _OTHER_SCHEME.match(text):
        return f"view {shown} begins with {quoted(other[0])}, which is no kind of source; write {_FORMS}"
    if not text:
        return f"a view is empty; write {_FORMS}"
    if text.startswith(("/", "./", "../")):
        return f"view {shown} is a path; write {quoted(DIRECTORY_SCHEME + text)} for a topic of a log directory"
    return f"view {shown} has no address, and clusters cannot be named in a file yet; write {_FORM}"


def _server(server: str, shown: str) -> tuple[str, int]:
    """One ``HOST[:PORT]`` of a bootstrap list."""
    if server.startswith("["):
        host, bracket, rest = server[1:].partition("]")
        if not bracket or not _is_ipv6(host) or (rest and not rest.startswith(":")):
            raise UsageError(f"{quoted(server)} in view {shown} is no IPv6 address; write [::1]:{DEFAULT_PORT}")
        return host, _port(rest[1:], server, shown) if rest else DEFAULT_PORT
    if server.count(":") > 1:
        raise UsageError(
            f"{quoted(server)} in view {shown} has more than one ':'; "
            f"write an IPv6 address in brackets, as in [::1]:{DEFAULT_PORT}, and commas between brokers"
        )
    host, colon, port = server.partition(":")
    if not _HOST.fullmatch(host):
        raise UsageError(f"{quoted(server)} in view {shown} names no host; write {_FORM}")
    return host, _port(port, server, shown) if colon else DEFAULT_PORT


def _is_ipv6(host: str) -> bool:
    # The zone of fe80::1%eth0 is an interface name, which may hold almost anything; plain ones are taken.
    address, percent, zone = host.partition("%")
    if percent and not _HOST.fullmatch(zone):
        return False
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True


def _port(port: str, server: str, shown: str) -> int:
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= MAX_PORT:
        raise UsageError(f"{quoted(server)} in view {shown} has no port from 1 to {MAX_PORT}; write HOST:PORT")
    return int(port)
