"""SCH2xx: asyncio used so that something does not happen, or cannot be stopped."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sched_cli.check.findings import Problem, Rule
from sched_cli.check.scopes import Function

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_cli.check.code import Code

UNAWAITED = Rule(
    "SCH201",
    "not-awaited",
    "What a coroutine does, it does when it is awaited; a step that nobody awaits is dropped.",
    "Write `await` in front of it.",
)
RULES = (UNAWAITED,)

# queue_activity is not among them: a handle that is never awaited is fire and forget.
CONTEXT_METHODS = frozenset({"sleep", "step", "wait_for", "wait_for_signal"})
_ASYNCIO = frozenset({f"asyncio.{name}" for name in ("sleep", "wait", "wait_for")})


def check(code: Code) -> Iterator[Problem]:
    """Coroutines that are made and never awaited."""
    for call in code.calls_in():
        if not _needs_await(code, call):
            continue
        shown = f"{ast.unparse(call.func)}(…)"
        if _is_dropped(code, call):
            yield Problem(UNAWAITED, call, f"{shown} is not awaited, so {_consequence(code, call)}")
        elif _is_tested(code, call):
            yield Problem(
                UNAWAITED, call, f"{shown} is not awaited, and a coroutine itself is always true"
            )


def _needs_await(code: Code, call: ast.Call) -> bool:
    method = code.context_method(call)
    if method:
        return method in CONTEXT_METHODS
    meaning = code.meaning(call.func)
    if meaning is None:
        return False
    if isinstance(meaning.definition, Function):
        function = meaning.definition
        # A decorator may have made something else of it; a generator is iterated.
        return function.is_async and not function.node.decorator_list and not _yields(function)
    return meaning.origin in _ASYNCIO


def _yields(function: Function) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function.node))


def _consequence(code: Code, call: ast.Call) -> str:
    if code.context_method(call) == "step":
        return "nothing waits for the step and it is dropped when the workflow ends"
    return "it does nothing"


def _is_dropped(code: Code, call: ast.Call) -> bool:
    parent = code.parent(call)
    if isinstance(parent, ast.Expr):
        return True
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        target = parent.targets[0]
        return isinstance(target, ast.Name) and not _is_read(code, target.id)
    return False


def _is_read(code: Code, name: str) -> bool:
    function = code.function
    if name in function.scope.elsewhere:
        return True
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load | ast.Del)
        for node in ast.walk(function.node)
    )


def _is_tested(code: Code, call: ast.Call) -> bool:
    parent = code.parent(call)
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, ast.Not)
    if isinstance(parent, ast.If | ast.While | ast.IfExp):
        return parent.test is call
    return False
