"""Which functions are workflows and which are activities, and under which names."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sched_cli.check.scopes import Function
from sched_cli.check.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sched_cli.check.names import Names
    from sched_cli.check.scopes import Scope
    from sched_cli.check.syntax import Module

WORKFLOW = "sched_sdk.workflow"
ACTIVITY = "sched_sdk.activity"


def is_declared(function: Function, decorator: str, names: Names) -> bool:
    """Whether a function carries `@workflow` or `@activity`, however imported."""
    return any(
        _is(expression, decorator, function.outer, names)
        for expression in function.node.decorator_list
    )


def _is(expression: ast.expr, decorator: str, scope: Scope, names: Names) -> bool:
    called = expression.func if isinstance(expression, ast.Call) else expression
    meaning = names.meaning(called, scope)
    return meaning is not None and meaning.origin == decorator


def workflows_of(modules: Iterable[Module], names: Names) -> Iterator[Function]:
    """Every workflow of the modules. The context parameter is marked as one."""
    for module in modules:
        for function in module.functions.values():
            if is_declared(function, WORKFLOW, names):
                yield function


def payload_parameters(function: Function) -> list[ast.arg]:
    """What comes from outside: without `self`, and without a workflow's context."""
    parameters = function.positional()
    if parameters and parameters[0].arg in ("self", "cls"):
        parameters = parameters[1:]
    return [
        parameter
        for parameter in [*parameters, *function.node.args.kwonlyargs]
        if parameter.arg not in function.contexts
    ]


def mark_context(function: Function) -> None:
    """The first parameter of a workflow, or the second of a method, is the context."""
    parameters = function.positional()
    if parameters and parameters[0].arg in ("self", "cls"):
        parameters = parameters[1:]
    if parameters:
        function.contexts.add(parameters[0].arg)


class ActivityNames:
    """The names under which the project declares activities."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.are_certain = True
        """False when a name is computed: then any name may be one."""

    def add(self, module: Module, names: Names) -> None:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._add_declared(module.functions[node], names)
            elif isinstance(node, ast.Call):
                self._add_called(node, names.scope_around(module, node), names)

    def _add_declared(self, function: Function, names: Names) -> None:
        for expression in function.node.decorator_list:
            if _is(expression, ACTIVITY, function.outer, names):
                self._add_name(expression, function.name, function.outer, names)

    def _add_called(self, call: ast.Call, scope: Scope, names: Names) -> None:
        """`activity(send)` and `activity(name="send")(send)`."""
        if not _is(call, ACTIVITY, scope, names) or _is_decorator(call, scope.module):
            return
        outer = scope.module.parents.get(call)
        arguments = call.args or (
            outer.args if isinstance(outer, ast.Call) and outer.func is call else []
        )
        meaning = names.meaning(arguments[0], scope) if arguments else None
        if meaning is not None and isinstance(meaning.definition, Function):
            self._add_name(call, meaning.definition.name, scope, names)
        else:
            self._add_name(call, None, scope, names)

    def _add_name(
        self, expression: ast.expr, default: str | None, scope: Scope, names: Names
    ) -> None:
        name: str | None = default
        if isinstance(expression, ast.Call):
            for keyword in expression.keywords:
                if keyword.arg in (None, "name"):
                    name = text_of(keyword.value, scope, names) if keyword.arg else None
        if name is None:
            self.are_certain = False
        else:
            self.known.add(name)


def _is_decorator(call: ast.Call, module: Module) -> bool:
    parent = module.parents.get(call)
    return (
        isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and call in parent.decorator_list
    )
