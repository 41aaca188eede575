"""Questions to a run, answered without leaving a trace.

A handler is a closure over the variables of the workflow function, so it runs
in the very instance whose state it tells. It must only look:

- While it runs, whatever would record a command, start a task or wake something
  that waits is refused. The refusals stand on the loop object only for that
  long, so workflow code that nobody questions pays nothing for them.
- What was done all the same (the handler caught the refusal, or found another
  way) shows in a comparison of the instance before and after. Then the instance
  is of no use any more: whoever has it evicts it, and the history is the truth.
- Variables that the handler assigns itself are beyond anybody's sight.

Names that begin with `__` are built in, see `BUILT_IN`.
"""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from sched_sdk import _payloads
from sched_sdk._replay.waiting import stack_of
from sched_sdk._signature import Signature
from sched_sdk.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._replay.instance import Instance
    from sched_sdk._replay.loop import ReplayLoop
    from sched_sdk.api.v1 import common_pb2

__all__ = [
    "BUILT_IN",
    "MAXIMUM_DETAILS",
    "Queries",
    "QueryHandler",
    "ReadOnlyQueryError",
    "UnknownQueryError",
]

QueryHandler = Callable[..., Any]

MAXIMUM_DETAILS = 4_096
"""The longest text of `set_details`, in characters; more is cut."""

_REFUSAL = (
    "a query only looks: it may not ask for activities, steps or timers, start tasks, "
    "or wake what waits"
)
_MAXIMUM_NAME = 255


class UnknownQueryError(Exception):
    """No query of that name; `known` are those that there are."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"no query {name!r}")
        self.known = tuple(known)


class ReadOnlyQueryError(Exception):
    """The handler tried to change the run. The instance is of no use any more."""


@dataclass(slots=True)
class _Handler:
    function: QueryHandler
    name: str
    context: contextvars.Context
    signature: Signature | None = None

    def read_signature(self) -> Signature:
        """At the first question: most runs are never asked any."""
        if self.signature is None:
            self.signature = Signature(self.function, f"query {self.name}")
        return self.signature


class Queries:
    """The query handlers of one run, and the text it set for people."""

    __slots__ = ("_handlers", "_loop", "details")

    def __init__(self, loop: ReplayLoop) -> None:
        self._loop = loop
        self._handlers: dict[str, _Handler] = {}
        self.details = ""

    @property
    def names(self) -> list[str]:
        """The workflow's own queries."""
        return sorted(self._handlers)

    def register(self, name: str, function: QueryHandler) -> None:
        """Let `function` answer the queries of that name, from now on. Raises
        DefinitionError for a name or a function that cannot be one."""
        if not name or len(name) > _MAXIMUM_NAME or name.startswith("__"):
            raise DefinitionError(
                f"{name!r} cannot be the name of a query: it has 1 to {_MAXIMUM_NAME} "
                "characters and does not begin with `__`, which is for built-in queries"
            )
        if not callable(function):
            raise DefinitionError(f"the query {name} needs a function, got {function!r}")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise DefinitionError(
                f"the query {name} is an `async def`. A query answers at once, from what the "
                "workflow knows; write it as a plain `def`."
            )
        self._handlers[name] = _Handler(function, name, contextvars.copy_context())

    def set_details(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"set_details takes a text, got {text!r}")
        text = text[:MAXIMUM_DETAILS]
        if not text.isascii() or "\0" in text:
            # No message holds a lone surrogate, no column of a store U+0000.
            text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
            text = text.encode("utf-8", "replace").decode()
        self.details = text

    def list(self) -> list[dict[str, Any]]:
        """What can be asked: name, documentation, parameters and result."""
        return [_describe(self._handlers[name]) for name in self.names]

    def answer(
        self, instance: Instance, name: str, payloads: Sequence[common_pb2.Payload]
    ) -> common_pb2.Payload:
        """The encoded answer. Raises UnknownQueryError, ReadOnlyQueryError (then
        evict the instance), PayloadError, and whatever the handler raises."""
        built_in = BUILT_IN.get(name)
        if built_in is not None:
            return _payloads.encode(built_in(instance))
        handler = self._handlers.get(name)
        if handler is None:
            raise UnknownQueryError(name, self.names)
        arguments = handler.read_signature().decode_arguments(payloads)
        return _only_looking(instance, handler, arguments)

    def state(self) -> tuple[object, ...]:
        """Changes when something in here does."""
        return (self.details, *map(id, self._handlers.values()))


def _only_looking(
    instance: Instance, handler: _Handler, arguments: Sequence[Any]
) -> common_pb2.Payload:
    loop, journal = instance.loop, instance.journal
    before, order, chance = _state_of(instance), loop.last_order, instance.facts.random_state()
    refusing = vars(loop)
    refusing["call_soon"] = refusing["create_task"] = _refuse
    outer, journal.refusal = journal.refusal, _REFUSAL
    journal.refused = False
    problem: BaseException | None = None
    answer: common_pb2.Payload | None = None
    try:
        # A copy each time: what the handler sets in it is gone afterwards.
        answer = handler.context.copy().run(_ask, handler, arguments)
    except Exception as error:
        problem = error
    finally:
        journal.refusal = outer
        del refusing["call_soon"], refusing["create_task"]
        loop.last_order = order
    drew = instance.facts.restore_random(chance)
    if journal.refused or isinstance(problem, _RefusedError) or _state_of(instance) != before:
        raise ReadOnlyQueryError(
            f"the query {handler.name} tried to change the workflow; {_REFUSAL}"
        ) from problem
    if drew:
        raise ReadOnlyQueryError(
            f"the query {handler.name} drew from ctx.random or ctx.uuid4, which belongs to the "
            "workflow; use Python's own `random` or `uuid` in a query"
        ) from problem
    if problem is not None:
        raise problem
    assert answer is not None
    return answer


def _ask(handler: _Handler, arguments: Sequence[Any]) -> common_pb2.Payload:
    result = handler.function(*arguments)
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise TypeError(
            f"the query {handler.name} returned something to await; a query answers at once"
        )
    return _payloads.encode(result)


class _RefusedError(RuntimeError):
    """Raised where a query tries to change something."""


def _refuse(*arguments: Any, **_options: Any) -> NoReturn:
    if arguments and inspect.iscoroutine(arguments[0]):
        arguments[0].close()
    raise _RefusedError(_REFUSAL)


def _state_of(instance: Instance) -> tuple[object, ...]:
    """Everything that a handler could move without assigning a variable."""
    journal, loop = instance.journal, instance.loop
    waiters = [getattr(task, "_fut_waiter", None) for task in loop.tasks.values()]
    return (
        len(journal.fresh),
        len(journal.produced),
        journal.last_seq,
        tuple(journal.activities),
        tuple(journal.timers),
        tuple(journal.steps),
        len(loop.ready),
        tuple(loop.tasks),
        [waiter is None or waiter.done() for waiter in waiters],
        instance.signals.state(),
        instance.queries.state(),
    )


# -- what every workflow can be asked ------------------------------------------------


def _details(instance: Instance) -> str:
    return instance.queries.details


def _queries(instance: Instance) -> list[dict[str, Any]]:
    return instance.queries.list()


BUILT_IN: dict[str, Callable[[Instance], object]] = {
    "__stack": stack_of,
    "__details": _details,
    "__queries": _queries,
}


def _describe(handler: _Handler) -> dict[str, Any]:
    empty = inspect.Parameter.empty
    signature = inspect.signature(handler.function)
    return {
        "name": handler.name,
        "doc": inspect.getdoc(handler.function) or "",
        "parameters": [
            {
                "name": parameter.name,
                "type": _type_text(parameter.annotation),
                "required": parameter.default is empty
                and parameter.kind is not parameter.VAR_POSITIONAL,
            }
            for parameter in signature.parameters.values()
        ],
        "result": _type_text(signature.return_annotation),
    }


def _type_text(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return "Any"
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
