"""From the workflows to all code that runs as theirs.

A call is followed into functions, methods and constructors of the project; so is a
function that is handed to something that certainly calls it here (`sorted`, `map`,
`asyncio` and the like, a handler's decorator, or a function of the project that calls
its parameter). Activities and workflows are not followed: they run on their own.
"""

from __future__ import annotations

import ast
from collections import deque
from typing import TYPE_CHECKING

from sched_cli.check.code import HANDING_OVER, Code
from sched_cli.check.declared import ACTIVITY, WORKFLOW, is_declared, mark_context
from sched_cli.check.findings import Call
from sched_cli.check.scopes import Class, Function

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sched_cli.check.names import Names

# What calls the functions that it is given, in the same code.
_CALLERS = frozenset(
    {
        *(f"builtins.{name}" for name in ("all", "any", "filter", "map", "max", "min", "sorted")),
        *(f"itertools.{name}" for name in ("accumulate", "dropwhile", "filterfalse", "groupby")),
        *(f"itertools.{name}" for name in ("starmap", "takewhile")),
        "functools.reduce",
    }
)
_CONSTRUCTION = ("__init__", "__post_init__")
_MAXIMUM_CALLS = 20


def workflow_code(workflows: Sequence[Function], names: Names) -> list[Code]:
    """All workflow code, each piece once, with the shortest way that leads to it."""
    waiting: deque[Code] = deque()
    known: dict[Function, Code] = {}
    for workflow in workflows:
        mark_context(workflow)
    names.forget()
    for workflow in workflows:
        known[workflow] = Code(workflow, names, workflow.name, ())
        waiting.append(known[workflow])
    while waiting:
        code = waiting.popleft()
        for function, node in _reached_from(code):
            passed_on = _pass_contexts(code, node, function)
            if function in known and not passed_on:
                continue
            if is_declared(function, ACTIVITY, names) or is_declared(function, WORKFLOW, names):
                continue
            calls = known[function].calls if function in known else _with_call(code, node)
            if len(calls) > _MAXIMUM_CALLS:
                continue
            declaration = known[function].declaration if function in known else code.declaration
            known[function] = Code(function, names, declaration, calls)
            waiting.append(known[function])
    return list(known.values())


def _with_call(code: Code, node: ast.expr) -> tuple[Call, ...]:
    call = Call(code.module.shown, node.lineno, code.function.shown_name)
    return (*code.calls, call)


def _reached_from(code: Code) -> Iterator[tuple[Function, ast.expr]]:
    for node in code.nodes:
        if isinstance(node, ast.Call):
            yield from ((function, node) for function in _functions_of(code, node.func))
            yield from _given_to(code, node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(_registers(code, decorator) for decorator in node.decorator_list):
                yield code.module.functions[node], node.decorator_list[0]
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield from ((function, node) for function in _properties_of(code, node))


def _functions_of(code: Code, called: ast.expr) -> Iterator[Function]:
    """The functions of the project that calling an expression runs."""
    meaning = code.meaning(called)
    if meaning is None:
        return
    if isinstance(meaning.definition, Function):
        yield meaning.definition
    elif isinstance(meaning.definition, Class):
        special = ["__call__"] if meaning.instance else _CONSTRUCTION
        for name in special:
            method = code.names.member(meaning, name)
            if method is not None and isinstance(method.definition, Function):
                yield method.definition


def _given_to(code: Code, call: ast.Call) -> Iterator[tuple[Function, ast.expr]]:
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    given = [
        (argument, meaning.definition)
        for argument in arguments
        if isinstance(argument, ast.Name | ast.Attribute)
        and (meaning := code.meaning(argument)) is not None
        and isinstance(meaning.definition, Function)
    ]
    if not given:
        return
    method = code.context_method(call)
    called = code.meaning(call.func)
    origin = "" if called is None else called.origin
    if (
        (method and method not in HANDING_OVER)
        or origin in _CALLERS
        or (
            origin.startswith("asyncio.")
            and origin != "asyncio.to_thread"
            and not origin.endswith(".run_in_executor")
        )
    ):
        yield from ((function, argument) for argument, function in given)
    elif called is not None and isinstance(called.definition, Function):
        parameters = dict(_matched(call, called.definition))
        run = _called_parameters(called.definition)
        yield from (
            (function, argument) for argument, function in given if parameters.get(argument) in run
        )


def _matched(call: ast.Call, function: Function) -> Iterator[tuple[ast.expr, str]]:
    """Which argument becomes which parameter, as far as that is plain."""
    names = [parameter.arg for parameter in function.positional()]
    if function.class_ is not None and names[:1] in (["self"], ["cls"]):
        names = names[1:]
    for argument, name in zip(call.args, names, strict=False):
        if isinstance(argument, ast.Starred):
            break
        yield argument, name
    yield from ((keyword.value, keyword.arg) for keyword in call.keywords if keyword.arg)


def _called_parameters(function: Function) -> set[str]:
    names = {parameter.arg for parameter in function.parameters()}
    return {
        node.func.id
        for node in ast.walk(function.node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    }


def _registers(code: Code, decorator: ast.expr) -> bool:
    """Whether a decorator makes the function below it a handler: `@ctx.on_signal("go")`,
    `@ctx.query`, and `@change.validator` of one."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if not isinstance(called, ast.Attribute):
        return False
    owner = code.meaning(called.value)
    if owner is None:
        return isinstance(called.value, ast.Name) and called.value.id == "ctx"
    return owner.is_context or called.attr == "validator"


def _properties_of(code: Code, node: ast.Attribute) -> Iterator[Function]:
    parent = code.parent(node)
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    meaning = code.meaning(node)
    if meaning is None or not isinstance(meaning.definition, Function):
        return
    function = meaning.definition
    decorators = {ast.unparse(decorator) for decorator in function.node.decorator_list}
    if function.class_ is not None and decorators & {"property", "cached_property"}:
        yield function


def _pass_contexts(code: Code, node: ast.expr, function: Function) -> bool:
    """Mark the parameters that a call gives a context. Whether one is new."""
    if not isinstance(node, ast.Call):
        return False
    given = {
        name
        for argument, name in _matched(node, function)
        if (meaning := code.meaning(argument)) is not None and meaning.is_context
    }
    new = given - function.contexts
    if any(
        parameter.arg in new and parameter.annotation is None for parameter in function.parameters()
    ):
        function.contexts |= new
        code.names.forget()
        return True
    return False
