"""``python -m kcompare``."""

from __future__ import annotations

from kcompare.cli.main import main

if __name__ == "__main__":
    main()
