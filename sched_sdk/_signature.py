"""What a workflow or an activity takes and gives back.

Annotations are resolved at first use, one by one: a name that only type
checkers import (`if TYPE_CHECKING`) must not stand in the way of the others,
and a type may be defined further down in the file.
"""

from __future__ import annotations

import inspect
import re
import typing
from typing import TYPE_CHECKING, Any

from sched_sdk import _payloads
from sched_sdk.errors import DefinitionError, PayloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sched_sdk.api.v1 import common_pb2

__all__ = ["Signature"]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """The parameters of a function that come from outside, and its result.

    `skip` is how many leading parameters do not: the context, or `self`.
    `surroundings` are the names around the declaration, so that annotations
    may use types defined inside a function.
    """

    __slots__ = (
        "_decoders",
        "_fn",
        "_local_names",
        "_maximum",
        "_minimum",
        "_name",
        "_rest_decoder",
        "_result_type",
        "parameters",
        "skip",
    )

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str,
        *,
        skip: int = 0,
        surroundings: Mapping[str, Any] | None = None,
    ) -> None:
        self._fn = fn
        self._name = name
        self._local_names = _names_used(fn, surroundings or {})
        self.skip = skip
        self.parameters = tuple(inspect.signature(fn).parameters.values())[skip:]
        positional = [p for p in self.parameters if p.kind in _POSITIONAL]
        self._minimum = sum(1 for p in positional if p.default is p.empty)
        takes_rest = any(p.kind is p.VAR_POSITIONAL for p in self.parameters)
        self._maximum = None if takes_rest else len(positional)
        self._decoders: list[Callable[[common_pb2.Payload], Any]] | None = None
        self._rest_decoder: Callable[[common_pb2.Payload], Any] | None = None
        self._result_type: Any = _UNRESOLVED

    def __str__(self) -> str:
        """As the user wrote it: `send_email(to: str) -> str`."""
        result = inspect.signature(self._fn).return_annotation
        shown = inspect.Signature(
            [p.replace(annotation=_as_written(p.annotation)) for p in self.parameters],
            return_annotation=_as_written(result),
        )
        return f"{self._name}{shown}"

    @property
    def result_type(self) -> Any:
        """The annotated result; Any when there is none."""
        if self._result_type is _UNRESOLVED:
            self._result_type = self._resolve(
                "return", inspect.signature(self._fn).return_annotation
            )
        return self._result_type

    def prepare(self) -> None:
        """Resolve every annotation now, so that a mistake shows when a worker
        starts and not when it gets its first task. Raises DefinitionError for
        one that cannot be resolved, PayloadError for a type that JSON cannot
        tell."""
        self._build_decoders()
        try:
            _payloads.decoder_for(self.result_type)
        except PayloadError as error:
            raise PayloadError(f"the result of {self}: {error}") from error

    def check_count(self, count: int) -> None:
        """Raises PayloadError if the function does not take `count` arguments."""
        if count < self._minimum or (self._maximum is not None and count > self._maximum):
            raise PayloadError(
                f"{self} takes {self._count_text()}, got {count}. Pass what the "
                "signature says, or give further parameters a default."
            )

    def encode_arguments(self, arguments: Sequence[Any]) -> list[common_pb2.Payload]:
        """Encode the arguments of a call. Raises PayloadError for a wrong
        number of them, or one that cannot be encoded."""
        self.check_count(len(arguments))
        payloads = []
        for index, argument in enumerate(arguments):
            try:
                payloads.append(_payloads.encode(argument))
            except PayloadError as error:
                raise PayloadError(f"{self._argument_text(index)}: {error}") from error
        return payloads

    def decode_arguments(self, payloads: Sequence[common_pb2.Payload]) -> list[Any]:
        """Read the arguments by annotation; missing ones keep their defaults."""
        decoders = self._decoders if self._decoders is not None else self._build_decoders()
        count = len(payloads)
        self.check_count(count)
        arguments = []
        for index in range(count):
            decode = decoders[index] if index < len(decoders) else self._rest_decoder
            assert decode is not None  # check_count: only *args takes more
            try:
                arguments.append(decode(payloads[index]))
            except PayloadError as error:
                raise PayloadError(f"{self._argument_text(index)}: {error}") from error
        return arguments

    def _build_decoders(self) -> list[Callable[[common_pb2.Payload], Any]]:
        decoders = []
        for parameter in self.parameters:
            if parameter.kind in _POSITIONAL:
                decoders.append(self._decoder_of(parameter))
            elif parameter.kind is parameter.VAR_POSITIONAL:
                self._rest_decoder = self._decoder_of(parameter)
        self._decoders = decoders
        return decoders

    def _decoder_of(self, parameter: inspect.Parameter) -> Callable[[common_pb2.Payload], Any]:
        annotation = self._resolve(parameter.name, parameter.annotation)
        try:
            return _payloads.decoder_for(annotation)
        except PayloadError as error:
            raise PayloadError(f"parameter `{parameter.name}` of {self}: {error}") from error

    def _resolve(self, name: str, annotation: Any) -> Any:
        if annotation is inspect.Signature.empty:
            return Any
        holder = _Annotated({name: annotation})
        function = inspect.unwrap(self._fn)
        names = getattr(function, "__globals__", {})
        try:
            return typing.get_type_hints(holder, names, self._local_names, include_extras=True)[
                name
            ]
        except Exception as error:
            what = "the result" if name == "return" else f"parameter `{name}`"
            raise DefinitionError(
                f"the annotation {annotation!r} of {what} of {self} cannot be resolved "
                f"({error}). Import the type at the top of the module, outside "
                "`if TYPE_CHECKING:`, or define it at module level."
            ) from error

    def _argument_text(self, index: int) -> str:
        positional = [p for p in self.parameters if p.kind in _POSITIONAL]
        name = f" ({positional[index].name})" if index < len(positional) else ""
        return f"argument {index + 1}{name} of {self}"

    def _count_text(self) -> str:
        if self._maximum is None:
            return f"at least {self._minimum} argument{'s' * (self._minimum != 1)}"
        if self._minimum == self._maximum:
            return f"{self._maximum} argument{'s' * (self._maximum != 1)}"
        return f"{self._minimum} to {self._maximum} arguments"


class _Verbatim:
    """Shows a string annotation without its quotes."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _as_written(annotation: Any) -> Any:
    return _Verbatim(annotation) if isinstance(annotation, str) else annotation


def _names_used(fn: Callable[..., Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the names that annotations written as text mention; to keep all
    of them would keep everything alive that stood around the declaration."""
    texts = [a for a in getattr(fn, "__annotations__", {}).values() if isinstance(a, str)]
    if names is getattr(fn, "__globals__", None):
        return {}
    return {name: names[name] for name in re.findall(r"\w+", " ".join(texts)) if name in names}


class _Unresolved:
    """Not looked up yet; None is a result type."""


_UNRESOLVED = _Unresolved()


class _Annotated:
    """Something for `get_type_hints` to look at: one annotation, not a whole
    function, so that one unknown name does not spoil the others."""

    def __init__(self, annotations: dict[str, Any]) -> None:
        self.__annotations__ = annotations
