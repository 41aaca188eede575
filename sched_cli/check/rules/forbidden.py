"""Rules that are lists of names: what workflow code must not call, and what it must
not so much as look at."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sched_cli.check.findings import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sched_cli.check.code import Code
    from sched_cli.check.findings import Rule

# In what is forbidden as a whole, these only describe something.
_HARMLESS_ENDINGS = ("Error", "Exception", "Warning", "compare_digest", "list2cmdline")


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Names that one rule forbids."""

    rule: Rule
    calls: frozenset[str]
    """Dotted names of what must not be called."""
    packages: tuple[str, ...] = ()
    """Modules and classes of which nothing must be called, but for errors."""
    values: frozenset[str] = frozenset()
    """Dotted names that must not be read either."""
    verb: str = ""
    instead: Callable[[str], str] | None = None
    """Better advice than the rule's own, by dotted name; empty where there is none."""

    def forbids_call(self, origin: str) -> bool:
        if origin in self.calls:
            return True
        return any(
            origin.startswith(f"{package}.") and not origin.endswith(_HARMLESS_ENDINGS)
            for package in self.packages
        )


def names(module: str, text: str) -> frozenset[str]:
    """`names("time", "sleep time")` is time.sleep and time.time."""
    return frozenset(f"{module}.{name}" for name in text.split())


def forbidden_names(code: Code, lists: Iterable[Forbidden]) -> Iterator[Problem]:
    """Every use of a forbidden name in a piece of code."""
    lists = tuple(lists)
    for node in code.nodes:
        if isinstance(node, ast.Call):
            origin = code.library_name(node.func)
            found = next((item for item in lists if origin and item.forbids_call(origin)), None)
            if found is not None and not _is_chained(code, node, found):
                shown = f"{_shown(node.func, origin)}()"
                yield _problem(found, node, shown, origin)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            origin = code.library_name(node)
            found = next((item for item in lists if origin in item.values), None)
            if found is not None:
                yield _problem(found, node, _shown(node, origin), origin)


def _is_chained(code: Code, node: ast.Call, forbidden: Forbidden) -> bool:
    """Of `requests.Session().get()` only the whole is told, not the session too."""
    parent = code.parent(node)
    outer = code.parent(parent) if isinstance(parent, ast.Attribute) else None
    if not isinstance(outer, ast.Call) or outer.func is not parent:
        return False
    return forbidden.forbids_call(code.library_name(outer.func))


def _problem(forbidden: Forbidden, node: ast.AST, shown: str, origin: str) -> Problem:
    instead = forbidden.instead(origin) if forbidden.instead else ""
    return Problem(forbidden.rule, node, f"{shown} {forbidden.verb}", instead)


def _shown(node: ast.expr, origin: str) -> str:
    """As it is written, if that says what it is; else as what it is."""
    written = ast.unparse(node)
    if len(written) <= 60 and written.rpartition(".")[2] == origin.rpartition(".")[2]:
        return written
    return origin.removeprefix("builtins.")
