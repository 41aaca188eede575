"""SCH2xx: handlers that swallow a cancellation.

Cancelling a workflow raises CancelledError at an `await`. What catches it by accident
makes a workflow that cannot be cancelled. On purpose is another matter, and told apart:
a handler that returns, leaves its loop, or notes what happened, and waiting for a task
that the code itself has cancelled.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sched_cli.check.findings import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_cli.check.code import Code

SWALLOWED = Rule(
    "SCH202",
    "swallowed-cancellation",
    "A workflow that swallows CancelledError cannot be cancelled.",
    "Catch `Exception`, which CancelledError is not, or end the handler with `raise`.",
)
RULES = (SWALLOWED,)

_ON_PURPOSE = "End the handler with `raise`, or with `return` if the workflow is to end there."
_CANCELLED = frozenset({"asyncio.CancelledError", "asyncio.exceptions.CancelledError"})
_EVERYTHING = "builtins.BaseException"
_AWAITING = (ast.Await, ast.AsyncFor, ast.AsyncWith)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def check(code: Code) -> Iterator[Problem]:
    """Handlers and `suppress` around an await that let no cancellation through."""
    for node in code.nodes:
        if isinstance(node, ast.Try | ast.TryStar):
            yield from _check_handlers(code, node)
        elif isinstance(node, ast.With | ast.AsyncWith):
            yield from _check_suppress(code, node)


def _check_handlers(code: Code, node: ast.Try | ast.TryStar) -> Iterator[Problem]:
    if not _awaits(node.body) or _waits_for_what_it_cancelled(code, node.body):
        return
    for handler in node.handlers:
        catches = _catches(code, handler.type)
        if not catches:
            continue
        by_accident = catches != "CancelledError"
        if not _lets_through(handler, by_accident=by_accident) and (
            by_accident or _goes_on(code, node)
        ):
            written = "except:" if handler.type is None else f"except {ast.unparse(handler.type)}:"
            message = f"`{written}` swallows the cancellation"
            yield Problem(SWALLOWED, _head(handler), message, "" if by_accident else _ON_PURPOSE)
        return  # a later handler does not see it any more


def _check_suppress(code: Code, node: ast.With | ast.AsyncWith) -> Iterator[Problem]:
    if not _awaits(node.body) or _waits_for_what_it_cancelled(code, node.body):
        return
    for item in node.items:
        call = item.context_expr
        if not isinstance(call, ast.Call) or code.origin(call.func) != "contextlib.suppress":
            continue
        catches = {_catches(code, argument) for argument in call.args} - {""}
        if catches and (catches != {"CancelledError"} or _goes_on(code, node)):
            yield Problem(SWALLOWED, call, f"`{ast.unparse(call)}` swallows the cancellation")


def _catches(code: Code, kind: ast.expr | None) -> str:
    """Which of the kinds that cancellation is a handler names; empty for none."""
    if kind is None:
        return "everything"
    if isinstance(kind, ast.Tuple):
        found = [_catches(code, element) for element in kind.elts]
        return next((one for one in found if one), "")
    origin = code.origin(kind)
    if origin == _EVERYTHING:
        return "BaseException"
    return "CancelledError" if origin in _CANCELLED else ""


def _awaits(body: list[ast.stmt]) -> bool:
    return any(isinstance(node, _AWAITING) for statement in body for node in _inside(statement))


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _FUNCTIONS):
            yield from _inside(child)


def _waits_for_what_it_cancelled(code: Code, body: list[ast.stmt]) -> bool:
    """`task.cancel()` before `try: await task`: the error is the task's own."""
    if len(body) != 1 or not isinstance(body[0], ast.Expr | ast.Assign):
        return False
    awaited = body[0].value
    if not isinstance(awaited, ast.Await):
        return False
    cancelled = {
        ast.unparse(call.func.value)
        for call in code.calls_in()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "cancel"
        and call.lineno <= body[0].lineno
    }
    return ast.unparse(awaited.value) in cancelled or (
        isinstance(awaited.value, ast.Call)
        and any(ast.unparse(argument) in cancelled for argument in awaited.value.args)
    )


def _lets_through(handler: ast.ExceptHandler, *, by_accident: bool) -> bool:
    nodes = [node for statement in handler.body for node in _inside(statement)]
    if any(isinstance(node, ast.Raise) for node in nodes):
        return True
    # Whoever names CancelledError and does something about it, means it.
    return not by_accident and not all(_does_nothing(statement) for statement in handler.body)


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass | ast.Continue):
        return True
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    if isinstance(value, ast.Constant):
        return True
    called = value.func if isinstance(value, ast.Call) else None
    logs = ("debug", "info", "warning", "error", "exception", "log")
    if isinstance(called, ast.Attribute):
        return called.attr in logs
    return isinstance(called, ast.Name) and called.id == "print"


def _goes_on(code: Code, node: ast.stmt) -> bool:
    """Whether the function may wait for something after this statement, other than for
    what it returns right there."""
    if any(isinstance(outer, ast.For | ast.AsyncFor | ast.While) for outer in code.ancestors(node)):
        return True
    if isinstance(_next_statement(code, node), ast.Return):
        return False
    end = node.end_lineno or node.lineno
    return any(isinstance(later, _AWAITING) and later.lineno > end for later in code.nodes)


def _next_statement(code: Code, node: ast.stmt) -> ast.stmt | None:
    """The one behind it in the same block."""
    parent = code.parent(node)
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and node in block[:-1]:
            following = block[block.index(node) + 1]
            assert isinstance(following, ast.stmt)
            return following
    return None


def _head(handler: ast.ExceptHandler) -> ast.AST:
    """The line of a handler without its body."""
    last = handler.type or handler
    return ast.Pass(
        lineno=handler.lineno,
        col_offset=handler.col_offset,
        end_lineno=last.end_lineno if handler.type else handler.lineno,
        end_col_offset=last.end_col_offset if handler.type else handler.col_offset + len("except"),
    )
