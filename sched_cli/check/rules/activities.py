"""SCH4xx: activities that nobody would run, or that run in the wrong place."""

from __future__ import annotations

import ast
import difflib
from typing import TYPE_CHECKING

from sched_cli.check.declared import ACTIVITY, ActivityNames, is_declared
from sched_cli.check.findings import Problem, Rule
from sched_cli.check.scopes import Function
from sched_cli.check.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_cli.check.code import Code
    from sched_cli.check.rules.whole_project import PlacedProblems, WholeProject

UNKNOWN_ACTIVITY = Rule(
    "SCH401",
    "unknown-activity",
    "An activity of a name that nobody registers waits for a worker for ever.",
    "Correct the name, or say with `task_queue=` whose workers run it.",
)
CALLED_DIRECTLY = Rule(
    "SCH402",
    "activity-called-directly",
    "An activity that is called like a function runs inside the workflow: nothing is recorded, "
    "nothing is retried, and it runs again in every replay.",
    "Use `await ctx.queue_activity(…)`.",
)
NO_ACTIVITY = Rule(
    "SCH403",
    "no-activity",
    "queue_activity() takes what is declared with @activity.",
    "Decorate the function with @activity, or run it with ctx.step.",
)
RULES = (UNKNOWN_ACTIVITY, CALLED_DIRECTLY, NO_ACTIVITY)


def check(project: WholeProject) -> PlacedProblems:
    """Calls of activities, by name and by function."""
    unknown: list[tuple[Code, ast.expr, str]] = []
    for code in project.code:
        for call in code.calls_in():
            if code.context_method(call) == "queue_activity":
                name = _name_on_own_queue(code, call)
                if name is not None:
                    unknown.append((code, call.args[0], name))
                for problem in _check_function(code, call):
                    yield project.of_code(code, problem)
            elif _is_activity(code, call.func):
                message = f"{ast.unparse(call.func)}(…) is an activity, called like a function"
                yield project.of_code(code, Problem(CALLED_DIRECTLY, call, message))
    if unknown:
        yield from _check_names(project, unknown)


def _is_activity(code: Code, called: ast.expr) -> bool:
    meaning = code.meaning(called)
    return (
        meaning is not None
        and isinstance(meaning.definition, Function)
        and is_declared(meaning.definition, ACTIVITY, code.names)
    )


def _name_on_own_queue(code: Code, call: ast.Call) -> str | None:
    """The name that is called, if workers of this code would run it."""
    if not call.args or any(keyword.arg in (None, "task_queue") for keyword in call.keywords):
        return None
    return text_of(call.args[0], code.scope, code.names)


def _check_function(code: Code, call: ast.Call) -> Iterator[Problem]:
    """A function of the project that carries no decorator at all cannot be an activity."""
    if not call.args or isinstance(call.args[0], ast.Starred):
        return
    given = call.args[0]
    if isinstance(given, ast.Lambda):
        yield Problem(NO_ACTIVITY, given, "a lambda is no activity")
        return
    if isinstance(given, ast.Call):
        return
    meaning = code.meaning(given)
    if meaning is None or not isinstance(meaning.definition, Function):
        return
    function = meaning.definition
    if not function.node.decorator_list and not _is_made_one(function, code):
        message = f"{ast.unparse(given)} is not declared with @activity"
        yield Problem(NO_ACTIVITY, given, message)


def _is_made_one(function: Function, code: Code) -> bool:
    """`activity(send)` anywhere, or the function in the hands of anything at module level."""
    module = function.module
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        first = node.args[0]
        if isinstance(first, ast.Name) and first.id == function.name:
            scope = code.names.scope_around(module, node)
            meaning = code.names.meaning(node.func, scope)
            if scope is module.scope or (meaning is not None and meaning.origin == ACTIVITY):
                return True
    return False


def _check_names(project: WholeProject, called: list[tuple[Code, ast.expr, str]]) -> PlacedProblems:
    declared = ActivityNames()
    for module in project.project.modules:
        declared.add(module, project.names)
    if all(name in declared.known for _, _, name in called):
        return
    for module in project.project.neighbours():
        declared.add(module, project.names)
    if not declared.are_certain:
        return
    for code, node, name in called:
        if name not in declared.known:
            yield project.of_code(code, _unknown(node, name, declared.known))


def _unknown(node: ast.expr, name: str, known: set[str]) -> Problem:
    message = f"no activity here is named {name!r}"
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return Problem(UNKNOWN_ACTIVITY, node, message, f"Did you mean {close[0]!r}?")
    return Problem(UNKNOWN_ACTIVITY, node, message)
