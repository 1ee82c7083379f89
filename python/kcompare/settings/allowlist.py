"""Which client properties are taken: those that connect and authenticate, by librdkafka's names.

An allowlist, because the others do harm in more ways than can be listed: they load libraries and run shell commands,
commit offsets, change what is read, or let librdkafka write secrets to its log. Their values are checked here, too,
so that none reaches librdkafka that it would refuse, and repeat, in words of its own.

# References

- https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

from __future__ import annotations

import re
from enum import Enum, auto
from pathlib import Path

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
PASSWORD_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
MECHANISMS = (*PASSWORD_MECHANISMS, "OAUTHBEARER", "GSSAPI")


class Kind(Enum):
    """What a value has to look like."""

    TEXT = auto()
    BOOLEAN = auto()
    PATH = auto()
    URL = auto()
    PLAIN_WORDS = auto()
    """Letters, digits and ``._-/@:,``: what ends up in a shell command or in the name of a library."""


_TEXT = [
    "client.id",
    "client.rack",
    "ssl.cipher.suites",
    "ssl.curves.list",
    "ssl.sigalgs.list",
    "ssl.ca.certificate.stores",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.certificate.pem",
    "ssl.ca.pem",
    "ssl.keystore.password",
    "https.ca.pem",
    "sasl.username",
    "sasl.password",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.sub.claim.name",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.sub",
]
_INT_MAX = 2_147_483_647
_INTEGER = {
    "socket.connection.setup.timeout.ms": range(1000, _INT_MAX),
    "socket.send.buffer.bytes": range(100_000_001),
    "socket.receive.buffer.bytes": range(100_000_001),
    "socket.max.fails": range(1_000_001),
    "broker.address.ttl": range(86_400_001),
    "connections.max.idle.ms": range(_INT_MAX),
    "reconnect.backoff.ms": range(3_600_001),
    "reconnect.backoff.max.ms": range(3_600_001),
    "retry.backoff.ms": range(1, 300_001),
    "retry.backoff.max.ms": range(1, 300_001),
    "metadata.max.age.ms": range(1, 86_400_001),
    "metadata.recovery.rebootstrap.trigger.ms": range(_INT_MAX),
    "topic.metadata.refresh.interval.ms": range(-1, 3_600_001),
    "api.version.request.timeout.ms": range(1, 300_001),
    "sasl.kerberos.min.time.before.relogin": range(86_400_001),
    "sasl.oauthbearer.assertion.claim.exp.seconds": range(1, _INT_MAX),
    "sasl.oauthbearer.assertion.claim.nbf.seconds": range(_INT_MAX),
}
_BOOLEAN = [
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "enable.ssl.certificate.verification",
    "enable.sasl.oauthbearer.unsecure.jwt",
    "sasl.oauthbearer.assertion.claim.jti.include",
]
_PATH = [
    "ssl.key.location",
    "ssl.certificate.location",
    "ssl.ca.location",
    "ssl.crl.location",
    "ssl.keystore.location",
    "https.ca.location",
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.jwt.template.file",
]
_PLAIN_WORDS = ["ssl.providers", "sasl.kerberos.service.name", "sasl.kerberos.principal", "sasl.kerberos.keytab"]

ALLOWED: dict[str, Kind | tuple[str, ...] | range] = {
    **dict.fromkeys(_TEXT, Kind.TEXT),
    **_INTEGER,
    **dict.fromkeys(_BOOLEAN, Kind.BOOLEAN),
    **dict.fromkeys(_PATH, Kind.PATH),
    **dict.fromkeys(_PLAIN_WORDS, Kind.PLAIN_WORDS),
    "sasl.oauthbearer.token.endpoint.url": Kind.URL,
    "security.protocol": PROTOCOLS,
    "sasl.mechanism": MECHANISMS,
    "sasl.oauthbearer.method": ("default", "oidc"),
    "sasl.oauthbearer.grant.type": ("client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
    "sasl.oauthbearer.assertion.algorithm": ("RS256", "ES256"),
    "sasl.oauthbearer.metadata.authentication.type": ("none", "azure_imds"),
    "ssl.endpoint.identification.algorithm": ("https", "none"),
    "broker.address.family": ("any", "v4", "v6"),
    "client.dns.lookup": ("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"),
    "metadata.recovery.strategy": ("none", "rebootstrap"),
}
"""Every property that is taken, with its kind, its words or its range."""

ALIASES = {
    "sasl.mechanisms": "sasl.mechanism",
    "sasl.oauthbearer.client.credentials.client.id": "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.credentials.client.secret": "sasl.oauthbearer.client.secret",
}
"""librdkafka's second names; both at once would be two values for one setting."""

_JAVA = {
    "sasl.jaas.config": "write its user as sasl.username and its password as sasl.password",
    "ssl.truststore.location": "write ssl.ca.location with the certificates as PEM",
    "ssl.truststore.password": "write ssl.ca.location with the certificates as PEM, which need no password",
    "ssl.truststore.type": "write ssl.ca.location with the certificates as PEM",
    "ssl.truststore.certificates": "write ssl.ca.pem",
    "ssl.keystore.type": "write ssl.keystore.location with a PKCS#12 file, or ssl.key.location and "
    "ssl.certificate.location with PEM files",
    "ssl.keystore.key": "write ssl.key.pem",
    "ssl.keystore.certificate.chain": "write ssl.certificate.pem",
    "ssl.protocol": "remove it, since the highest version that both sides know is taken",
    "ssl.enabled.protocols": "remove it, since the highest version that both sides know is taken",
    "sasl.login.callback.handler.class": "write sasl.oauthbearer.method=oidc with its client id, secret and URL",
    "sasl.client.callback.handler.class": "write sasl.mechanism with what librdkafka has",
    "send.buffer.bytes": "write socket.send.buffer.bytes",
    "receive.buffer.bytes": "write socket.receive.buffer.bytes",
}
# The first pattern that matches the whole name says why.
_REFUSED = (
    (r"bootstrap\.servers|metadata\.broker\.list", "names brokers, and those come from the view; remove it"),
    (
        r"plugin\.library\.paths|ssl\.engine\..*|interceptor\.classes",
        "loads code into the process, which kcompare does not do for a setting; remove it",
    ),
    (
        r"sasl\.kerberos\.kinit\.cmd",
        "runs a shell command, which kcompare does not do for a setting; run kinit before and remove it",
    ),
    (r"isolation\.level", "changes what is read; use --isolation, --left-isolation or --right-isolation"),
    (
        (
            r"check\.crcs|auto\.offset\.reset|allow\.auto\.create\.topics|enable\.metrics\.push|enable\.auto\..*|"
            r"enable\.partition\.eof|group\..*|auto\.commit\..*"
        ),
        "is set by kcompare itself, so that nothing is skipped or written; remove it",
    ),
    (
        r"debug|log_level|log\..*|statistics\.interval\.ms|.*_cb",
        "lets librdkafka tell about itself, where secrets may be among what it tells; remove it, and see --debug",
    ),
    (
        r"socket\.timeout\.ms|request\.timeout\.ms|metadata\.request\.timeout\.ms|default\.api\.timeout\.ms",
        "is a time limit of its own; use --request-timeout",
    ),
    (
        r"fetch\..*|max\.partition\.fetch\.bytes|queued\..*|receive\.message\.max\.bytes|message\.max\.bytes",
        "is bounded by the memory that kcompare may use; use --budget",
    ),
    (r"test\..*", "replaces the cluster by one that does not exist; remove it"),
)


def refusal(name: str) -> str:
    """Why a property that is not in :data:`ALLOWED` is not taken, and the way out, to follow its name."""
    if name in _JAVA:
        return f"is a property of Java clients, which librdkafka does not know; {_JAVA[name]}"
    for pattern, reason in _REFUSED:
        if re.fullmatch(pattern, name):
            return reason
    # Imported here: only a mistake needs it.
    from difflib import get_close_matches

    close = get_close_matches(name, [*ALLOWED, *ALIASES, *_JAVA], n=1, cutoff=0.8)
    if close:
        return f"is no property that kcompare takes; did you mean {close[0]}, or else remove it"
    return "is no property that connects or authenticates, and kcompare takes no others; remove it"


def accept(name: str, value: str) -> tuple[str | None, str]:
    """A value as librdkafka is to get it, or None and what is wrong with it, without the value in it."""
    kind = ALLOWED[name]
    if isinstance(kind, tuple):
        by_lower = {word.lower(): word for word in kind}
        return by_lower.get(value.lower()), f"is none of {', '.join(kind)}; write one of these"
    if isinstance(kind, range):
        whole = re.fullmatch(r"-?[0-9]{1,10}", value, re.ASCII)
        form = f"is no whole number from {kind.start} to {kind.stop - 1}; write one"
        return (value if whole and int(value) in kind else None), form
    if kind is Kind.BOOLEAN:
        return (value.lower() if value.lower() in {"true", "false"} else None), "is neither true nor false; write one"
    wrong = {
        Kind.TEXT: "",
        Kind.PATH: "" if value == "probe" or _exists(value) else "names no file that is there; look at the path",
        Kind.URL: ""
        if re.fullmatch(r"https?://[^\s@]+", value)
        else "is no URL that begins with https:// and holds no credentials; write one",
        Kind.PLAIN_WORDS: ""
        if re.fullmatch(r"[A-Za-z0-9._/@:,-]+", value, re.ASCII)
        else "holds a character that a shell or a loader could misread; write letters, digits and ._-/@:, only",
    }[kind]
    return (None if wrong else value), wrong


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False
