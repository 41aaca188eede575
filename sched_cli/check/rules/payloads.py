"""SCH5xx: values that cannot be stored.

Arguments and results travel as JSON and are read by annotation, see the guide's page on
workflows. Here are the types that certainly are not: what is alive (files, locks,
connections, tasks), what is code (functions, generators) and classes that say nothing
of their fields.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sched_cli.check.code import Code
from sched_cli.check.declared import ACTIVITY, is_declared, payload_parameters, workflows_of
from sched_cli.check.findings import Problem, Rule
from sched_cli.check.rules.payload_types import unfit_annotation, unfit_type
from sched_cli.check.scopes import Class, Function
from sched_cli.check.syntax import Module

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_cli.check.rules.whole_project import PlacedProblems, WholeProject

ANNOTATION = Rule(
    "SCH501",
    "payload-type",
    "Arguments and results are stored as JSON; a value of this type cannot be.",
    "Use JSON types, a dataclass, TypedDict, enum, datetime, UUID, Decimal, attrs class, "
    "msgspec.Struct or pydantic model.",
)
ARGUMENT = Rule(
    "SCH502",
    "payload-value",
    "Arguments are stored as JSON; this value cannot be.",
    "Pass the data itself, for example a path instead of an open file or a list instead of a "
    "generator.",
)
RULES = (ANNOTATION, ARGUMENT)

# The calls of a context whose arguments are stored, and where the first of those stands.
_STORED = {"continue_as_new": 0, "queue_activity": 1, "start_child": 1}


def check(project: WholeProject) -> PlacedProblems:
    """Signatures of workflows, activities and steps, and arguments of calls."""
    for function in _declared(project):
        for problem in _check_signature(function, project):
            yield function.name, function.module, (), problem
    for code in project.code:
        for call in code.calls_in():
            method = code.context_method(call)
            if method in _STORED:
                for argument in call.args[_STORED[method] :]:
                    for problem in _check_value(code, argument):
                        yield project.of_code(code, problem)
            elif method == "step":
                for problem in _check_step(code, call):
                    yield project.of_code(code, problem)


def _declared(project: WholeProject) -> Iterator[Function]:
    yield from workflows_of(project.project.given, project.names)
    for module in project.project.given:
        for function in module.functions.values():
            if is_declared(function, ACTIVITY, project.names):
                yield function


def _check_signature(function: Function, project: WholeProject) -> Iterator[Problem]:
    names = project.names
    for parameter in payload_parameters(function):
        if parameter.annotation is None:
            continue
        unfit = unfit_annotation(parameter.annotation, function.outer, names)
        if unfit:
            message = f"the parameter `{parameter.arg}` is {unfit}, which cannot be stored"
            yield Problem(ANNOTATION, parameter.annotation, message)
    if function.node.returns is not None:
        unfit = unfit_annotation(function.node.returns, function.outer, names)
        if unfit:
            message = f"the result is {unfit}, which cannot be stored"
            yield Problem(ANNOTATION, function.node.returns, message)


def _check_step(code: Code, call: ast.Call) -> Iterator[Problem]:
    """A step's arguments are not stored, its result is."""
    meaning = code.meaning(call.args[0]) if call.args else None
    if meaning is None or not isinstance(meaning.definition, Function):
        return
    function = meaning.definition
    if function.node.returns is None or function.node.decorator_list:
        return
    unfit = unfit_annotation(function.node.returns, function.outer, code.names)
    if unfit:
        message = f"the result of the step {function.name} is {unfit}, which cannot be stored"
        yield Problem(ANNOTATION, call.args[0], message)


def _check_value(code: Code, node: ast.expr) -> Iterator[Problem]:
    match node:
        case ast.Starred():
            return
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            for item in items:
                yield from _check_value(code, item)
        case ast.Dict(keys=keys, values=values):
            for key in keys:
                if isinstance(key, ast.Tuple):
                    yield Problem(ARGUMENT, key, "a tuple cannot be a key", "Use text as the key.")
            for value in values:
                yield from _check_value(code, value)
        case ast.IfExp(body=body, orelse=other):
            yield from _check_value(code, body)
            yield from _check_value(code, other)
        case _:
            yield from _check_single_value(code, node)


def _check_single_value(code: Code, node: ast.expr) -> Iterator[Problem]:
    what, instead = _unfit_value(code, node)
    if what:
        yield Problem(ARGUMENT, node, f"{what} cannot be stored", instead)


def _unfit_value(code: Code, node: ast.expr) -> tuple[str, str]:
    """What a value is that cannot be stored, and better advice than the rule's; both may
    be empty."""
    if isinstance(node, ast.Constant) and isinstance(node.value, complex):
        return "a complex number", ""
    if isinstance(node, ast.Constant) and node.value is ...:
        return "`...`", ""
    if isinstance(node, ast.Call) and _is_not_finite(code, node):
        return "NaN or infinity", "Send None, text or a Decimal."
    meaning = code.meaning(node)
    if meaning is None:
        return "", ""
    if meaning.is_context:
        return "the context", "Pass what the activity needs of it, such as ctx.info.workflow_id."
    if not meaning.instance:
        return _unfit_thing(meaning.definition, node), ""
    if meaning.origin == "sched_sdk.ActivityHandle":
        return "a handle", "Pass its result: `await` it first."
    if meaning.origin in ("asyncio.Future", "collections.abc.Coroutine"):
        return "an awaitable", "Pass its result: `await` it first."
    return unfit_type(meaning, code.names), ""


def _is_not_finite(code: Code, call: ast.Call) -> bool:
    return (
        code.origin(call.func) == "builtins.float"
        and len(call.args) == 1
        and isinstance(call.args[0], ast.Constant)
        and str(call.args[0].value).strip("+-").lower() in ("nan", "inf", "infinity")
    )


def _unfit_thing(definition: object, node: ast.expr) -> str:
    """A function, class or module itself; not the value of a property."""
    if isinstance(definition, Function) and definition.class_ is None:
        return f"the function {ast.unparse(node)}"
    if isinstance(definition, Class):
        return f"the class {ast.unparse(node)}"
    return f"the module {ast.unparse(node)}" if isinstance(definition, Module) else ""
