"""``kcompare serve logdir:PATH/``."""

import contextlib
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from kcompare.cli.failures import EQUAL, guarded
from kcompare.cli.options import value_of
from kcompare.cli.streams import show
from kcompare.report.serve_text import render_served
from kcompare.settings.listen import DEFAULT, parse_listen
from kcompare.settings.views import parse_cluster_view

if TYPE_CHECKING:
    from kcompare.model import View

Directories = Annotated[
    str,
    typer.Argument(
        metavar="VIEW",
        help="logdir:PATH/[,PATH/...] for all topics, or logdir:PATH/TOPIC[,PATH/TOPIC...] for one.",
    ),
]
Listen = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 is any that is free, 0.0.0.0 is everywhere.")
]


def serve(context: typer.Context, view: Directories, *, listen: Listen = DEFAULT) -> int:
    """Serve log directories as a read-only Kafka broker, so that any client can read a snapshot without Kafka.

    Ctrl-C ends it, and then it exits with 0; it exits with 2 for a mistake on the command line or an address that
    cannot be listened on, 3 where a partition cannot be read, and 130 when interrupted before it serves.
    """
    parsed = value_of("VIEW", view, parse_cluster_view)
    host, port = value_of("--listen", listen, parse_listen)
    guarded(lambda: _serve(parsed, host, port), debug=context.obj.debug)
    return EQUAL


def _serve(view: "View", host: str, port: int) -> None:
    from kcompare.engine.serve import ServeRequest, serving

    with serving(ServeRequest(view, host, port)) as served, contextlib.suppress(KeyboardInterrupt):
        show(render_served(served))
        threading.Event().wait()
