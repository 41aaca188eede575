"""A folder with an app, and steppers over its history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sched_sdk._stepping import Stepper
from tests.tui import shop

Open = Callable[..., Stepper]


@pytest.fixture
def folder() -> Iterator[Path]:
    with shop.somewhere() as folder:
        yield folder


@pytest.fixture
def open_stepper(folder: Path) -> Iterator[Open]:
    """A stepper over the app, or over an edited one; closed at the end."""
    opened: list[Stepper] = []

    def open_one(old: str = "", new: str = "") -> Stepper:
        assert old in shop.SOURCE
        edited = shop.SOURCE.replace(old, new) if old else None
        opened.append(shop.stepper(folder, edited))
        return opened[-1]

    yield open_one
    for stepper in opened:
        stepper.close()
