"""Client properties: ``-L KEY=VALUE``, ``-R KEY=VALUE`` and files of such lines become the settings of one side."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcompare.errors import UsageError
from kcompare.model import DataPath
from kcompare.settings import allowlist
from kcompare.settings.cluster import NOTHING_MORE, PLAINTEXT, ClusterSettings
from kcompare.settings.quoting import quoted
from kcompare.settings.secrets import has_reference, is_secret, read_text, remember, resolve
from kcompare.settings.views import redact_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FORM = "write KEY=VALUE, such as security.protocol=SASL_SSL"
CONFIG_FLAGS = {"-L": "--left-config", "-R": "--right-config"}
"""The file that goes with each flag."""

# What does not look like a name may be a secret that stands in the wrong place, and is not repeated.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}(\.[a-z0-9_]{1,40}){1,9}|debug|log_level|[a-z_]{1,40}_cb", re.ASCII)
_CONNECT_TIMEOUT = "socket.connection.setup.timeout.ms"
_REMEMBERED_KINDS = (allowlist.Kind.TEXT, allowlist.Kind.PATH, allowlist.Kind.URL, allowlist.Kind.PLAIN_WORDS)
"""What stood behind a reference is a secret, whatever the property; words, numbers and switches are none."""

_NATIVE = frozenset({"client.id", "client.rack", _CONNECT_TIMEOUT})
"""What the native client knows, too; with ``security.protocol=PLAINTEXT``, which is what it speaks."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One property as the user wrote it.

    Attributes:
        place: name and place, as a sentence about it begins.
        on_command_line: whether every user of the machine can read it.
    """

    name: str
    raw: str
    place: str
    on_command_line: bool


def cluster_settings(
    side_flag: str,
    entries: Sequence[str],
    config_file: str | None,
    data_path: DataPath | None,
    *,
    request_timeout_ms: int,
    stall_timeout_ms: int,
) -> ClusterSettings:
    """The settings of one side.

    Args:
        side_flag: ``-L`` or ``-R``, for messages.
        entries: ``KEY=VALUE`` of that flag; they win over the file.
        config_file: a file of such lines, or None.
        data_path: what reads the cluster, or None to have it chosen by what the properties need.
        request_timeout_ms: of ``--request-timeout``.
        stall_timeout_ms: of ``--stall-timeout``.

    Raises:
        UsageError: a property that is not taken, a value that cannot be, a secret on the command line, a reference
            that leads nowhere, or properties that do not go together.
    """
    found = {} if config_file is None else _distinct(_lines(config_file, CONFIG_FLAGS[side_flag]))
    found |= _distinct(_flags(side_flag, entries))
    values = {name: _value(found[name], side_flag) for name in sorted(found)}
    _check_together(values, found)
    chosen, reason = _data_path(values, found, data_path)
    defaults = ClusterSettings()
    return ClusterSettings(
        client_id=values.get("client.id", defaults.client_id),
        rack_id=values.get("client.rack"),
        connect_timeout_ms=int(values.get(_CONNECT_TIMEOUT, defaults.connect_timeout_ms)),
        request_timeout_ms=request_timeout_ms,
        stall_timeout_ms=stall_timeout_ms,
        data_path=chosen,
        data_path_reason=reason,
        properties=tuple(values.items()),
    )


def _flags(flag: str, entries: Sequence[str]) -> Iterable[_Entry]:
    for number, text in enumerate(entries, 1):
        name, raw = _pair(text, f"{flag} number {number}")
        yield _entry(name, raw, f"{flag} {name}", on_command_line=True)


def _lines(path: str, flag: str) -> Iterable[_Entry]:
    """The properties of a file: lines of ``KEY=VALUE``, comments behind ``#`` or ``!``, and empty lines."""
    text = read_text(path, f"{flag} names {quoted(path)}")
    for number, line in enumerate(re.split(r"\r?\n", text), 1):
        if (stripped := line.strip()) and not stripped.startswith(("#", "!")):
            place = f"line {number} of {flag} {quoted(path)}"
            name, raw = _pair(stripped, place)
            yield _entry(name, raw, f"{name} in {place}", on_command_line=False)


def _pair(text: str, place: str) -> tuple[str, str]:
    """Name and value; what does not look like a name may be a secret in the wrong place, and is not repeated."""
    name, equals, raw = text.partition("=")
    name = name.strip()
    if not equals:
        raise UsageError(f"{place} has no '='; {_FORM}")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{place} does not begin with the name of a property; {_FORM}")
    return name, raw.strip()


def _entry(name: str, raw: str, place: str, *, on_command_line: bool) -> _Entry:
    canonical = allowlist.ALIASES.get(name, name)
    if canonical not in allowlist.ALLOWED:
        raise UsageError(f"{place} {allowlist.refusal(name)}")
    return _Entry(canonical, raw, place, on_command_line)


def _distinct(entries: Iterable[_Entry]) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    for entry in entries:
        if entry.name in found:
            raise UsageError(f"{entry.place} was set before, by {found[entry.name].place}; keep one of the two")
        found[entry.name] = entry
    return found


def _value(entry: _Entry, side_flag: str) -> str:
    """The value as librdkafka gets it."""
    secret, referred = is_secret(entry.name), has_reference(entry.raw)
    if secret and entry.on_command_line and not referred:
        remember(entry.raw)
        raise UsageError(
            f"{entry.place} holds a secret, which every user of the machine can read from a command line; write "
            f"{side_flag} {entry.name}={{env=NAME}} or {{file=PATH}}, or put it into a file for "
            f"{CONFIG_FLAGS[side_flag]}"
        )
    value = resolve(entry.raw, entry.place)
    if not value:
        # This is how Java clients are told not to look at host names.
        way_out = "write none, or https" if entry.name == "ssl.endpoint.identification.algorithm" else "give it one"
        raise UsageError(f"{entry.place} has no value; {way_out}")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise UsageError(f"{entry.place} has a value that is no text; write one in UTF-8 without a NUL")
    accepted, wrong = allowlist.accept(entry.name, value)
    if secret or (referred and (accepted is None or allowlist.ALLOWED[entry.name] in _REMEMBERED_KINDS)):
        remember(value)
    if accepted is None:
        # On the command line the value is there to be seen; in a file it may be a secret in the wrong line.
        shown = f" {quoted(redact_within(entry.raw))}" if entry.on_command_line else ""
        raise UsageError(f"{entry.place}{shown} {wrong}")
    return accepted


def _check_together(values: dict[str, str], found: dict[str, _Entry]) -> None:
    """Refuses what would connect otherwise than it looks: most of all, without the TLS or the login it speaks of."""
    protocol = values.get("security.protocol")
    guards = [name for name in values if name.startswith(("ssl.", "sasl.", "enable.ssl.", "enable.sasl."))]
    if guards and protocol is None:
        raise UsageError(
            f"{found[guards[0]].place} has no effect without security.protocol; "
            "write security.protocol=SSL, SASL_SSL or SASL_PLAINTEXT"
        )
    if protocol is None or not protocol.startswith("SASL"):
        return
    mechanism = values.get("sasl.mechanism")
    place = found["security.protocol"].place
    if mechanism is None:
        raise UsageError(f"{place} needs a mechanism; write sasl.mechanism={'|'.join(allowlist.MECHANISMS)}")
    missing = [name for name in ("sasl.username", "sasl.password") if name not in values]
    if mechanism in allowlist.PASSWORD_MECHANISMS and missing:
        raise UsageError(f"{place} with sasl.mechanism={mechanism} needs {' and '.join(missing)}; set it")


def _data_path(values: dict[str, str], found: dict[str, _Entry], asked: DataPath | None) -> tuple[DataPath, str]:
    """What reads this side, and why: the native client unless the properties ask for what it lacks."""
    protocol = values.get("security.protocol", PLAINTEXT)
    beyond = [name for name in values if name not in _NATIVE and name != "security.protocol"]
    if protocol != PLAINTEXT:
        need, place = f"security.protocol {protocol}", found["security.protocol"].place
    elif beyond:
        need, place = beyond[0], found[beyond[0]].place
    else:
        path = asked or DataPath.NATIVE
        return path, f"--data-path {asked.value}" if asked else NOTHING_MORE
    if asked is DataPath.NATIVE:
        raise UsageError(
            f"{place} needs librdkafka, which --data-path native does without; remove it, or remove --data-path native"
        )
    return DataPath.CONSUMER, "--data-path consumer" if asked else f"auto: {need} needs librdkafka"
