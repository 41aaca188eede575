"""Workflow code runs on a loop of its own, which must not begin inside an
asyncio task of the worker's loop, only in a plain callback of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["in_callback"]

T = TypeVar("T")


async def in_callback(function: Callable[..., T], *args: object) -> T:
    """What `function(*args)` returns or raises, called outside of any task."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def call() -> None:
        if future.cancelled():
            return
        try:
            result = function(*args)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    loop.call_soon(call)
    return await future
