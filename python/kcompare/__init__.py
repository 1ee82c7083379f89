"""kcompare proves that two Kafka logs hold the same records, or shows the first place where they part."""

from __future__ import annotations

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """Looks the version up only where it is asked for: the metadata of packages take a while to read."""
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("kcompare")
        except PackageNotFoundError:
            return "0+source"  # imported from a source tree that was never installed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
