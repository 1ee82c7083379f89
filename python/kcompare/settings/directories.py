"""Views of log directories: ``logdir:PATH/TOPIC[,PATH/TOPIC...]``."""

from __future__ import annotations

from kcompare.errors import UsageError
from kcompare.model import View
from kcompare.settings.cluster import ClusterSettings
from kcompare.settings.quoting import quoted
from kcompare.settings.topic_names import is_legal_topic

SCHEME = "logdir:"
FORM = "logdir:PATH/TOPIC[,PATH/TOPIC...]"

DIRECTORY_SETTINGS = ClusterSettings(data_path_reason="log directories need no client")
"""Nothing of how to talk to a cluster matters where there is none."""

# Stands for a comma of a path while the text is taken apart; no path can hold it.
_COMMA = "\0"


def parse_directory_view(text: str, shown: str) -> View:
    """Reads a view of log directories; each item is a path, a slash and the topic, or nothing behind the slash.

    Items are divided by commas, and a comma of a path is written twice. A path may hold anything else.

    Args:
        text: the view, which begins with ``logdir:``.
        shown: how it stands in a message.

    Raises:
        UsageError: an item without a path, topics that differ, or a path that is named twice.
    """
    if _COMMA in text:
        raise UsageError(f"view {shown} holds a NUL, which no path does; write {FORM}")
    items = text.removeprefix(SCHEME).replace(",,", _COMMA).split(",")
    found = [_item(item.replace(_COMMA, ","), shown) for item in items]
    topic = found[0][1]
    for path, other in found[1:]:
        if other != topic:
            raise UsageError(
                f"view {shown} names topic {quoted(topic)} in {quoted(found[0][0])} and {quoted(other)} in "
                f"{quoted(path)}; name one topic in all of them, and write a comma of a path twice"
            )
    paths = tuple(path for path, _ in found)
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"view {shown} names the path {quoted(path)} twice; write each log directory once")
    return View(text=text, kind="logdir", topic=topic, paths=paths)


def _item(item: str, shown: str) -> tuple[str, str]:
    """Path and topic of one item."""
    if not item:
        raise UsageError(f"view {shown} has an item without a path; write {FORM}, and a comma of a path twice")
    path, slash, topic = item.rpartition("/")
    if not slash:
        here = quoted(f"./{item}")
        raise UsageError(f"{quoted(item)} in view {shown} is no path and topic; write {FORM}, such as {here}")
    if topic and not is_legal_topic(topic):
        raise UsageError(
            f"topic {quoted(topic)} in view {shown} is no legal topic name; "
            "write 1 to 249 characters of A-Z, a-z, 0-9, '.', '_' and '-', but neither '.' nor '..'"
        )
    return path or "/", topic
