"""What the name of a step is, and how its result is read."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from sched_sdk._payloads import decoder_for
from sched_sdk._signature import Signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from sched_sdk.api.v1 import common_pb2

__all__ = ["result_decoder", "step_name"]

# By the address of the code object, which is kept: a function defined inside a
# workflow function is a new object each time, with the same code.
_decoders: dict[int, tuple[CodeType, Callable[[common_pb2.Payload], Any]]] = {}


def step_name(fn: Callable[..., Any]) -> str:
    """`__name__`, that of the function inside a partial, or the type's name."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    name = getattr(fn, "__name__", None)
    return name if isinstance(name, str) else type(fn).__name__


def result_decoder(fn: Callable[..., Any]) -> Callable[[common_pb2.Payload], Any]:
    """By the annotated result; plain JSON values without one."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    if not (inspect.isfunction(fn) or inspect.ismethod(fn)):
        return decoder_for(Any)
    if "return" not in fn.__annotations__:
        return decoder_for(Any)
    code = fn.__code__
    known = _decoders.get(id(code))
    if known is None:
        decoder = decoder_for(Signature(fn, fn.__name__).result_type)
        known = _decoders[id(code)] = (code, decoder)
    return known[1]
