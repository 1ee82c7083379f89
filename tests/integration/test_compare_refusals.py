"""Bad input and absent brokers: one sentence, the contract's exit code, no verdict out of nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.integration.kafka.broker import free_port
from tests.integration.support import (
    Answer,
    Ended,
    answer,
    compare,
    finish,
    fresh,
    load,
    plain_records,
    run,
    start,
    tail,
)

if TYPE_CHECKING:
    from tests.integration.kafka import Pair


class Views(NamedTuple):
    """Two views of equal topics, and what is wrong in many ways."""

    left: str
    right: str


@pytest.fixture(scope="module")
def views(kafka: Pair) -> Views:
    topic = fresh("refusals")
    for cluster in kafka:
        cluster.create_topic(topic, 2)
        load(cluster, topic, {0: plain_records(30), 1: plain_records(30)})
    return Views(kafka.left.view(topic), kafka.right.view(topic))


def not_compared(found: Answer) -> str:
    """Holds an answer to exit 2 and returns its sentence, which stderr and the document share."""
    assert (found.code, found.verdict) == (2, None)
    assert found.document["topics"] == []
    assert found.document["totals"]["compared_records"] == 0
    (error,) = found.document["errors"]
    assert error["fatal"]
    assert found.stderr == f"kcompare: {error['message']}\n"
    sentence: str = error["message"]
    assert len(re.findall(r"[.!?](\s|$)", sentence)) <= 1, sentence
    return sentence


def typo(view: str) -> str:
    return f"{view}-typo"


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_topic_that_does_not_exist(views: Views, side: str) -> None:
    wrong = typo(getattr(views, side))
    named = views._replace(**{side: wrong})
    sentence = not_compared(compare(*named))
    assert wrong in sentence
    assert "does not exist" in sentence


def test_a_name_that_no_topic_can_have(views: Views) -> None:
    assert "no legal topic name" in not_compared(compare(views.left, views.right.rpartition("/")[0] + "/a b"))


@pytest.mark.parametrize("chosen", ["2", "0,7", "1-9"])
def test_a_partition_that_does_not_exist(views: Views, chosen: str) -> None:
    sentence = not_compared(compare(*views, "--partitions", chosen))
    assert re.search(r"partition [27] does not exist", sentence)
    assert "--partitions" in sentence


def test_the_same_topic_twice(views: Views) -> None:
    sentence = not_compared(compare(views.left, views.left))
    assert "the same topic on the same brokers" in sentence
    # Another spelling of the address changes nothing.
    assert not_compared(compare(views.left, views.left.replace("127.0.0.1", "localhost")))
    allowed = compare(views.left, views.left, "--allow-same")
    assert (allowed.code, allowed.verdict) == (0, "EQUAL")
    assert "same_lineage" in allowed.document["notes"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--mode", "set"), "--mode log"),
        (("--mode", "latest"), "--mode log"),
        (("--mode", "fastest"), "--mode"),
        (("--fields", "key"), "--fields"),
        (("--fields", "colour"), "--fields"),
        (("--allow-tail", "up"), "--allow-tail"),
        (("--allow-tail", "right:soon"), "--allow-tail"),
        (("--partitions", "0-x"), "--partitions"),
        (("--budget", "much"), "--budget"),
        (("--settle", "-1s"), "--settle"),
        (("--workers", "0"), "--workers"),
        (("--export", "yaml=report.yaml"), "--export"),
        (("--no-such-option",), "--no-such-option"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, tuple) else None,
)
def test_an_option_that_is_wrong_or_not_supported(views: Views, options: tuple[str, ...], told: str) -> None:
    assert told in not_compared(compare(*views, *options))


@pytest.mark.parametrize(
    "view",
    [
        "blogs",
        "http://a/blogs",
        "kafka://a:9092/",
        "kafka:///blogs",
        "kafka://a:99999/blogs",
        "logdir:/x/blogs",
    ],
)
def test_a_view_that_is_none(views: Views, view: str) -> None:
    not_compared(compare(views.left, view))


def test_credentials_in_a_view_are_not_repeated(views: Views) -> None:
    found = compare(views.left, "kafka://me:swordfish@a:9092/blogs")
    not_compared(found)
    assert "swordfish" not in found.stderr + str(found.document)


def absent(views: Views, place: str) -> str:
    """A view of a broker that is not there."""
    topic = views.left.rpartition("/")[2]
    address = {"host": "no-such-host.invalid:9092", "port": f"127.0.0.1:{free_port()}"}[place]
    return f"kafka://{address}/{topic}"


@pytest.fixture(scope="module")
def absences(views: Views) -> dict[str, tuple[str, Ended]]:
    """Runs against brokers that are not there, all at once: what they do most is wait."""
    port, host = absent(views, "port"), absent(views, "host")
    json = ("--output", "json")
    commands = {
        "port-left": (port, ("compare", port, views.right, *json)),
        "port-right": (port, ("compare", views.left, port, *json)),
        "host-left": (host, ("compare", host, views.right, *json)),
        "host-right": (host, ("compare", views.left, host, *json)),
        "both": (host, ("compare", port, host, *json)),
        "text": (host, ("compare", host, views.right)),
        "tail": (port, ("tail", views.left, port, *json)),
    }
    processes = {name: (view, start(*arguments)) for name, (view, arguments) in commands.items()}
    return {name: (view, finish(process)) for name, (view, process) in processes.items()}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("place", ["host", "port"])
def test_a_broker_that_is_not_there(absences: dict[str, tuple[str, Ended]], place: str, side: str) -> None:
    view, ended = absences[f"{place}-{side}"]
    found = answer(ended)
    assert (found.code, found.verdict) == (5, "INCONCLUSIVE")
    (error,) = found.document["errors"]
    assert (error["side"], error["code"]) == (side, "UNREACHABLE")
    assert found.stderr == f"kcompare: {error['message']}\n"
    assert view.partition("//")[2].partition("/")[0] in error["message"]
    assert found.document["totals"]["compared_records"] == 0
    assert found.document["run"]["seconds"] < 30


def test_both_sides_that_are_not_there_are_named_in_one_report(
    absences: dict[str, tuple[str, Ended]],
) -> None:
    found = answer(absences["both"][1])
    assert found.code == 5
    assert [error["side"] for error in found.document["errors"]] == ["left", "right"]


def test_the_text_names_the_broker_that_is_not_there(absences: dict[str, tuple[str, Ended]]) -> None:
    ended = absences["text"][1]
    assert ended.code == 5
    assert "no-such-host.invalid" in ended.stdout.splitlines()[0]


def test_a_tail_shows_the_view_that_is_there(absences: dict[str, tuple[str, Ended]]) -> None:
    found = answer(absences["tail"][1], schema="tail")
    assert found.code == 5
    assert [len(view["partitions"]) for view in found.document["views"]] == [2, 0]
    assert len(found.stderr.splitlines()) == 1


def test_one_of_several_bootstrap_servers_is_enough(views: Views) -> None:
    scheme, address, topic = re.fullmatch(r"(kafka://)([^/]+)(/.*)", views.left).groups()  # type: ignore[union-attr]
    found = compare(f"{scheme}127.0.0.1:{free_port()},{address}{topic}", views.right)
    assert (found.code, found.verdict) == (0, "EQUAL")


def test_something_that_is_no_broker(views: Views) -> None:
    import socket
    import threading

    def hang_up(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(1 << 16)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up, args=(listener,), daemon=True)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        found = compare(views.left, f"kafka://{address}/blogs", "--stall-timeout", "5s")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert found.code in {3, 5}
    assert found.verdict == "INCONCLUSIVE"
    assert address in found.stderr


def test_a_mistake_leaves_stdout_empty_where_it_is_text(views: Views) -> None:
    ended = run("compare", views.left, typo(views.right))
    assert (ended.code, ended.stdout) == (2, "")
    assert typo(views.right) in ended.stderr


def test_a_tail_of_what_does_not_exist(views: Views) -> None:
    found = tail(typo(views.left))
    assert (found.code, found.document["views"]) == (2, [])
    assert typo(views.left) in found.stderr
