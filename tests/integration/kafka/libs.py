"""The jars of Kafka: copied by Maven once, into a folder that is named by the hash of the pom."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[3] / ".cache" / "kafka-libs"


def class_path() -> str:
    """Returns the class path that holds Kafka; the first time Maven copies the jars.

    Raises:
        RuntimeError: Maven or Java is missing, or Maven failed; its output is in the message.
    """
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise RuntimeError(f"{program} is not on PATH: the integration tests need a JDK 17 and Maven")
    folder = CACHE / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        # Two runs at once would copy into the same folder.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _copy_jars(folder)
    return str(folder / "*")


def _copy_jars(folder: Path) -> None:
    # The folder gets its name last, so that an interrupted copy is never taken for a whole one.
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    try:
        done = subprocess.run(
            [*command, f"-DoutputDirectory={partial}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        if done.returncode != 0:
            raise RuntimeError(f"Maven could not copy the jars of {POM}:\n{done.stdout}{done.stderr}")
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
