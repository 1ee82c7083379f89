"""What a result was measured on: a rate means little without it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.integration.kafka.libs import POM


def about_this_machine() -> dict[str, Any]:
    """Returns what render.py says of the machine, and how busy it is before the bench adds to that."""
    return {
        "cpus": os.cpu_count(),
        "cpu": _cpu(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "kafka": "".join(re.findall("<kafka.version>(.+)</kafka.version>", POM.read_text())),
        "commit": _commit(),
        "load_before": os.getloadavg()[0],
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    found = re.findall(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return found[0] if found else platform.processor()


def _commit() -> str:
    """Returns the commit that was measured, with `-dirty` behind it if files were changed since."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()
