"""What every layer of tests shares."""

from __future__ import annotations

import os
import signal

import hypothesis
import pytest

# No deadline: a loaded machine is no failure. What CI finds is found again by everybody.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")

# A shell starts what it puts into the background with SIGINT ignored, and so would be everything that is started from
# here: the tests of Ctrl-C would wait for an end that never comes.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides what a developer's terminal would change in the output of a command."""
    for name in ("FORCE_COLOR", "PY_COLORS", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "110")
