"""A piece of workflow code: a function that runs in replay, and the nodes of its own.

Not its own are the bodies of functions inside it (they are pieces themselves, if
something calls them) and what it hands to `ctx.step` and `ctx.queue_activity`, which
runs outside.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_cli.check.findings import Call
    from sched_cli.check.names import Meaning, Names
    from sched_cli.check.scopes import Function, Scope
    from sched_cli.check.syntax import Module

# The calls of a context that take a function to run elsewhere.
HANDING_OVER = ("queue_activity", "step")


@dataclass(eq=False, slots=True)
class Code:
    """A function that runs as workflow code."""

    function: Function
    names: Names
    declaration: str
    """The workflow that leads here."""
    calls: tuple[Call, ...]
    """How it does; empty for the workflow's own function."""
    nodes: list[ast.AST] = field(init=False)
    """In the order of the source."""

    def __post_init__(self) -> None:
        self.nodes = [
            node for statement in self.function.node.body for node in self._walk(statement)
        ]

    @property
    def module(self) -> Module:
        return self.function.module

    @property
    def scope(self) -> Scope:
        return self.function.scope

    def meaning(self, node: ast.expr) -> Meaning | None:
        return self.names.meaning(node, self.scope)

    def origin(self, node: ast.expr) -> str:
        """The dotted name of what an expression stands for; empty when it is not certain."""
        meaning = self.meaning(node)
        return "" if meaning is None else meaning.origin

    def library_name(self, node: ast.expr) -> str:
        """The dotted name of what is not the project's own; empty for what is."""
        meaning = self.meaning(node)
        return "" if meaning is None or meaning.definition is not None else meaning.origin

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self.module.parents.get(node)

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """From the inside out, up to the function itself."""
        parent = self.parent(node)
        while parent is not None and parent is not self.function.node:
            yield parent
            parent = self.parent(parent)

    def calls_in(self) -> Iterator[ast.Call]:
        return (node for node in self.nodes if isinstance(node, ast.Call))

    def context_method(self, call: ast.Call) -> str:
        """`sleep` for `ctx.sleep(…)`; empty for a call of anything else."""
        if not isinstance(call.func, ast.Attribute):
            return ""
        meaning = self.meaning(call.func.value)
        if meaning is not None:
            return call.func.attr if meaning.is_context else ""
        # A parameter without annotation that is called as everyone calls it.
        value = call.func.value
        return call.func.attr if isinstance(value, ast.Name) and value.id == "ctx" else ""

    def _walk(self, node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, ast.ClassDef):
            return
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                yield from self._walk(decorator)
            return
        handed_over = self._handed_over(node) if isinstance(node, ast.Call) else None
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "ctx"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and child is not handed_over:
                    yield from self._walk(child)

    def _handed_over(self, call: ast.Call) -> ast.expr | None:
        """The function that a call gives away to be run elsewhere."""
        if not call.args:
            return None
        if self.context_method(call) in HANDING_OVER:
            first = call.args[0]
            return first if isinstance(first, ast.Name | ast.Attribute | ast.Lambda) else None
        if self.origin(call.func) == "functools.partial":
            return call.args[0]
        return None
