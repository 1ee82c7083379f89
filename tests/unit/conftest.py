"""What one command line of this process has learnt, the next one must not know."""

from collections.abc import Iterator

import pytest

from kcompare.settings.secrets import forget


@pytest.fixture(autouse=True)
def no_secrets_from_before() -> Iterator[None]:
    yield
    forget()
