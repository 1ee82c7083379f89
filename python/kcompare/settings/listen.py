"""Where ``kcompare serve`` listens: ``HOST:PORT``."""

from __future__ import annotations

import ipaddress

from kcompare.errors import UsageError
from kcompare.settings.quoting import quoted

DEFAULT = "127.0.0.1:9092"
LOCALHOST = "localhost"
MAX_PORT = 65_535


def parse_listen(text: str) -> tuple[str, int]:
    """Reads an address and a port; port 0 is any that is free, and an IPv6 address stands in brackets.

    Names of hosts but ``localhost`` are no addresses: one may have several, and listening on the wrong one of them
    shows a snapshot to others.

    Raises:
        UsageError: the text is no such thing.
    """
    shown = quoted(text)
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise UsageError(f"{shown} is no address and port; write HOST:PORT, such as {DEFAULT}")
    if not (port.isascii() and port.isdigit()) or int(port) > MAX_PORT:
        raise UsageError(f"{shown} has no port from 0 to {MAX_PORT}; write HOST:PORT, such as {DEFAULT}")
    if host == LOCALHOST:
        return "127.0.0.1", int(port)
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.IPv6Address(host[1:-1]) if bracketed else ipaddress.IPv4Address(host)
    except ValueError:
        raise UsageError(
            f"{shown} has no IP address to listen on; write one, such as {DEFAULT}, 0.0.0.0:9092 or [::1]:9092"
        ) from None
    return str(address), int(port)


def address_of(host: str, port: int) -> str:
    """The address as a client writes it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether nobody but programs of this machine gets there."""
    return ipaddress.ip_address(host).is_loopback
