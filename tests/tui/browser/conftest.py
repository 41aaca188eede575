"""What makes pictures the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.tui.browser.driving import same_everywhere

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _same_everywhere() -> Iterator[None]:
    with same_everywhere():
        yield
