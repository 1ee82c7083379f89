"""A Java process of the fixtures that never outlives the process that started it."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from tests.integration.kafka.libs import class_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Times to find what a test saw, and not 300 lines of settings at every start.
LOGGING = ("showDateTime=true", "dateTimeFormat=HH:mm:ss.SSS", "log.org.apache.kafka.common.config=warn")


class Child:
    """A process that ends with the one that made it, whatever ends that one.

    `atexit` covers an orderly end, and a watchdog, which waits for the other end of a pipe to go away, covers a
    kill.
    """

    def __init__(self, name: str, log_file: Path) -> None:
        self.name = name
        self.log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        atexit.register(self.kill)

    @property
    def pid(self) -> int | None:
        """The process id while the process runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def launch(self, command: Sequence[str]) -> None:
        """Starts the process, whose output goes to the log file, and returns at once."""
        if self.pid is not None:
            raise RuntimeError(f"{self.name} already runs as process {self.pid}")
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", 'cat >/dev/null; kill -s KILL -- "-$0"', str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def stop(self, timeout_s: float) -> None:
        """Asks the process to end, and waits for that.

        Raises:
            RuntimeError: It did not end in time and was killed; the end of its log is in the message.
        """
        if self._process is None or self.pid is None:
            return self._finish()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            message = f"{self.name} did not stop in {timeout_s} s and was killed:\n{self.log_tail()}"
            raise RuntimeError(message) from None
        return self._finish()

    def kill(self) -> None:
        """Ends the process at once."""
        if self._process is not None and self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._finish()

    def log_tail(self, lines: int = 30) -> str:
        """Returns the last lines of the process's own log, with the path of the whole."""
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        return "\n".join([f"{self.log_file}:", *text.splitlines()[-lines:]])

    def _finish(self) -> None:
        """Sends the watchdog home; the process is gone."""
        watchdog, self._watchdog, self._process = self._watchdog, None, None
        if watchdog is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(watchdog.pid, signal.SIGKILL)
            watchdog.wait()
            if watchdog.stdin is not None:
                watchdog.stdin.close()


def java(main: str, *arguments: str, heap: str) -> list[str]:
    """Returns the command that runs a program of Kafka's jars, made for a life of a minute on few cores."""
    options = [f"-Xmx{heap}", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    options += [f"-Dorg.slf4j.simpleLogger.{option}" for option in LOGGING]
    return ["java", *options, "-cp", class_path(), main, *arguments]
