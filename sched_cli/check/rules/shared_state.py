"""SCH3xx: variables that all workflows of a worker share, and no history records."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sched_cli.check.findings import Problem, Rule
from sched_cli.check.scopes import Class
from sched_cli.check.syntax import Module
from sched_cli.check.values import global_variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_cli.check.code import Code

GLOBALS = Rule(
    "SCH301",
    "global-state",
    "Variables of the module are shared by all workflows of a worker, changed again in every "
    "replay, and gone after a restart.",
    "Use a local variable; what outlives the workflow is an activity's business.",
)
RULES = (GLOBALS,)

_CONTAINERS = frozenset(
    {
        *(f"builtins.{kind}" for kind in ("dict", "list", "set", "bytearray")),
        *(f"collections.{kind}" for kind in ("Counter", "OrderedDict", "defaultdict", "deque")),
    }
)
_CHANGING = frozenset(
    {
        *("add", "append", "appendleft", "clear", "difference_update", "discard", "extend"),
        *("extendleft", "insert", "intersection_update", "pop", "popitem", "popleft", "remove"),
        *("reverse", "rotate", "setdefault", "sort", "symmetric_difference_update", "update"),
    }
)
_COUNTERS = ("itertools.count", "itertools.cycle")


def check(code: Code) -> Iterator[Problem]:
    """Everything that changes a variable of a module or of a class."""
    for node in code.nodes:
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load) and node.id in code.scope.globals:
                yield _problem(node, node.id, "is set")
        elif isinstance(node, ast.Attribute | ast.Subscript):
            if not isinstance(node.ctx, ast.Load):
                yield from _check_target(code, node)
        elif isinstance(node, ast.Call):
            yield from _check_call(code, node)


def _check_target(code: Code, node: ast.Attribute | ast.Subscript) -> Iterator[Problem]:
    name = _shared(code, node.value)
    if name:
        yield _problem(node, name, "is changed")
    elif isinstance(node, ast.Attribute):
        # `settings.RETRIES = 3` of a module, `Order.count = 1` of a class.
        owner = code.meaning(node.value)
        if (
            owner is not None
            and not owner.instance
            and isinstance(owner.definition, Class | Module)
        ):
            yield _problem(node, ast.unparse(node), "is set")


def _check_call(code: Code, call: ast.Call) -> Iterator[Problem]:
    if isinstance(call.func, ast.Attribute) and call.func.attr in _CHANGING:
        name = _shared(code, call.func.value)
        if name and _is_container(code, call.func.value):
            yield _problem(call, name, f"is changed by {call.func.attr}()")
    elif code.origin(call.func) == "builtins.next" and call.args:
        name = _shared(code, call.args[0])
        if name and code.origin(call.args[0]) in _COUNTERS:
            yield _problem(call, name, "is advanced")


def _shared(code: Code, node: ast.expr) -> str:
    """The name of the shared variable that an expression is a part of; empty for none."""
    if isinstance(node, ast.Subscript):
        return _shared(code, node.value)
    if isinstance(node, ast.Attribute):
        if global_variable(node, code.scope, code.names) or _is_class_variable(code, node):
            return ast.unparse(node)
        return _shared(code, node.value)
    return global_variable(node, code.scope, code.names) if isinstance(node, ast.Name) else ""


def _is_class_variable(code: Code, node: ast.Attribute) -> bool:
    owner = code.meaning(node.value)
    return (
        owner is not None
        and not owner.instance
        and isinstance(owner.definition, Class)
        and node.attr in owner.definition.scope.bindings
    )


def _is_container(code: Code, node: ast.expr) -> bool:
    """Only then does the name of the method say that it changes something."""
    if isinstance(node, ast.Subscript):
        return True
    meaning = code.meaning(node)
    return meaning is not None and meaning.instance and meaning.origin in _CONTAINERS


def _problem(node: ast.AST, name: str, what: str) -> Problem:
    message = f"{name} {what}, which all workflows of the worker share and no history records"
    return Problem(GLOBALS, node, message)
