"""How each side of a command is talked to: client properties are for clusters, a log directory has none."""

from collections.abc import Sequence

from kcompare.cli.options import seconds_of
from kcompare.errors import UsageError
from kcompare.model import DataPath, View
from kcompare.settings.cluster import ClusterSettings
from kcompare.settings.directories import DIRECTORY_SETTINGS
from kcompare.settings.properties import CONFIG_FLAGS, cluster_settings
from kcompare.settings.quoting import quoted

Side = tuple[str, list[str] | None, str | None]
"""``-L`` or ``-R``, its properties and its file."""


def settings_of(
    views: Sequence[View],
    sides: Sequence[Side],
    data_path: DataPath | None,
    *,
    request_timeout: str = "30s",
    stall_timeout: str = "30s",
) -> tuple[ClusterSettings, ...]:
    """The settings of each view.

    Raises:
        UsageError: a property, a file or a duration that cannot be, or one of them for a log directory.
    """
    limits = {
        "request_timeout_ms": round(seconds_of("--request-timeout", request_timeout) * 1000),
        "stall_timeout_ms": round(seconds_of("--stall-timeout", stall_timeout) * 1000),
    }
    if data_path is not None and all(view.is_directory for view in views):
        raise UsageError(
            f"--data-path {data_path.value} chooses what reads a cluster, and "
            f"{quoted(views[0].text)} is a log directory; remove it"
        )
    found = []
    for view, (flag, entries, config) in zip(views, sides, strict=True):
        if not view.is_directory:
            found.append(cluster_settings(flag, entries or (), config, data_path, **limits))
            continue
        for given, name in ((entries, flag), (config, CONFIG_FLAGS[flag])):
            if given:
                raise UsageError(f"{name} is for clusters, and {quoted(view.text)} is a log directory; remove it")
        found.append(DIRECTORY_SETTINGS)
    return tuple(found)
