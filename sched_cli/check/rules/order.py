"""SCH3xx: order and numbers that differ from process to process."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sched_cli.check.findings import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_cli.check.code import Code

SET_ORDER = Rule(
    "SCH302",
    "set-order",
    "The order of a set differs from process to process.",
    "Use a list or a dict, or sorted(…).",
)
HASHES = Rule(
    "SCH303",
    "hash",
    "hash() and id() give other numbers in every process.",
    "Use the value itself, or a digest of hashlib.",
)
REPLAYING = Rule(
    "SCH304",
    "is-replaying",
    "ctx.info.is_replaying is true only in replay: what hangs on it is not repeated.",
    "Do the same in replay; ctx.logger is silent there by itself.",
)
RULES = (SET_ORDER, HASHES, REPLAYING)

_SETS = frozenset({"builtins.set", "builtins.frozenset", "typing.Set", "typing.FrozenSet"}) | {
    "typing.AbstractSet",
    "collections.abc.Set",
    "collections.abc.MutableSet",
}
# Numbers have the same hash everywhere, and what asyncio makes is numbered in workflows.
_ORDERED_ELEMENTS = frozenset({"int", "bool", "Task", "Future", "ActivityHandle"})
# What takes an iterable and passes its order on.
_ORDERED_RESULTS = frozenset(
    {
        *(f"builtins.{name}" for name in ("enumerate", "filter", "iter", "list", "map")),
        *(f"builtins.{name}" for name in ("tuple", "zip")),
        *(f"itertools.{name}" for name in ("accumulate", "batched", "chain", "islice")),
        *(f"itertools.{name}" for name in ("pairwise", "permutations", "product")),
        "asyncio.gather",
    }
)
# What gives the same for every order.
_UNORDERED_RESULTS = frozenset(
    f"builtins.{name}"
    for name in ("all", "any", "frozenset", "len", "max", "min", "set", "sorted", "sum")
)


def check(code: Code) -> Iterator[Problem]:
    """Order, hashes and decisions that are others in replay."""
    for node in code.nodes:
        if isinstance(node, ast.For | ast.comprehension):
            yield from _check_loop(code, node)
        elif isinstance(node, ast.Call):
            yield from _check_call(code, node)
        elif isinstance(node, ast.If | ast.While | ast.IfExp):
            yield from _check_replaying(code, node)


def _check_loop(code: Code, node: ast.For | ast.comprehension) -> Iterator[Problem]:
    if not _is_unordered(code, node.iter):
        return
    parent = code.parent(node)
    if isinstance(parent, ast.SetComp) or _takes_any_order(code, parent):
        return
    yield _of_set(node.iter)


def _takes_any_order(code: Code, comprehension: ast.AST | None) -> bool:
    if not isinstance(comprehension, ast.GeneratorExp | ast.ListComp):
        return False
    consumer = code.parent(comprehension)
    return (
        isinstance(consumer, ast.Call)
        and comprehension in consumer.args
        and code.origin(consumer.func) in _UNORDERED_RESULTS
    )


def _check_call(code: Code, call: ast.Call) -> Iterator[Problem]:
    origin = code.origin(call.func)
    if origin in ("builtins.hash", "builtins.id"):
        message = f"{ast.unparse(call)} is another number in every process"
        yield Problem(HASHES, call, message)
    elif origin in _ORDERED_RESULTS:
        if _is_inside_unordered(code, call):
            return
        for argument in call.args:
            value = argument.value if isinstance(argument, ast.Starred) else argument
            if _is_unordered(code, value):
                yield _of_set(value)
    elif isinstance(call.func, ast.Attribute):
        if call.func.attr == "pop" and not call.args and _is_unordered(code, call.func.value):
            yield Problem(SET_ORDER, call, f"{ast.unparse(call)} takes any element of a set")
        elif call.func.attr == "join" and call.args and _is_unordered(code, call.args[0]):
            yield _of_set(call.args[0])


def _is_inside_unordered(code: Code, call: ast.Call) -> bool:
    """`sorted(list(names))`: the order in between does not matter."""
    outer = code.parent(call)
    return (
        isinstance(outer, ast.Call)
        and call in outer.args
        and code.origin(outer.func) in _UNORDERED_RESULTS
    )


def _of_set(node: ast.expr) -> Problem:
    written = ast.unparse(node)
    shown = f"`{written}`" if len(written) <= 40 else "this"
    return Problem(
        SET_ORDER, node, f"{shown} is a set, whose order differs from process to process"
    )


def _is_unordered(code: Code, node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_operation_on_keys(node) or _is_set(code, node)
    return _is_set(code, node) and not _has_ordered_elements(code, node)


def _is_set(code: Code, node: ast.expr) -> bool:
    meaning = code.meaning(node)
    if meaning is None or not meaning.instance or meaning.origin not in _SETS:
        return False
    annotation = meaning.annotation
    if isinstance(annotation, ast.Subscript):
        element = ast.unparse(annotation.slice).partition("[")[0].rpartition(".")[2]
        return element not in _ORDERED_ELEMENTS
    return True


def _is_operation_on_keys(node: ast.BinOp) -> bool:
    """`a.keys() - b.keys()` is a set too."""
    return isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor | ast.Sub) and any(
        isinstance(side, ast.Call)
        and isinstance(side.func, ast.Attribute)
        and side.func.attr == "keys"
        and not side.args
        for side in (node.left, node.right)
    )


def _has_ordered_elements(code: Code, node: ast.expr) -> bool:
    """Whether what a set is made of shows that its order is the same everywhere: numbers,
    or the tasks and handles of a workflow."""
    value = _written_value(code, node)
    if isinstance(value, ast.Set):
        if all(isinstance(item, ast.Constant) for item in value.elts):
            return all(_is_ordered(code, item) for item in value.elts)
        return any(_is_ordered(code, item) for item in value.elts)
    if isinstance(value, ast.SetComp):
        return _is_ordered(code, value.elt)
    if isinstance(value, ast.Call) and value.args:
        inner = value.args[0]
        return isinstance(inner, ast.Call) and code.origin(inner.func) == "builtins.range"
    if isinstance(value, ast.Call) and isinstance(node, ast.Name):
        return any(_is_ordered(code, added) for added in _added_to(code, node.id))
    return False


def _is_ordered(code: Code, element: ast.expr) -> bool:
    if isinstance(element, ast.Constant):
        return isinstance(element.value, int)
    meaning = code.meaning(element)
    if meaning is not None:
        return meaning.instance and meaning.origin.rpartition(".")[2] in _ORDERED_ELEMENTS
    called = element.func if isinstance(element, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr == "create_task"


def _added_to(code: Code, name: str) -> list[ast.expr]:
    """The arguments of `name.add(…)`."""
    return [
        call.args[0]
        for call in code.calls_in()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "add"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == name
        and call.args
    ]


def _written_value(code: Code, node: ast.expr) -> ast.expr | None:
    if not isinstance(node, ast.Name):
        return node
    found = code.scope.find(node.id)
    return found[1][0].value if found is not None and len(found[1]) == 1 else None


def _check_replaying(code: Code, node: ast.If | ast.While | ast.IfExp) -> Iterator[Problem]:
    asked = [
        part
        for part in ast.walk(node.test)
        if isinstance(part, ast.Attribute)
        and part.attr == "is_replaying"
        and code.origin(part).endswith("WorkflowContext.info.is_replaying")
    ]
    if not asked:
        return
    branches = (
        [node.body, node.orelse]
        if isinstance(node, ast.IfExp)
        else [
            *node.body,
            *node.orelse,
        ]
    )
    if any(_acts(code, part) for branch in branches for part in ast.walk(branch)):
        yield Problem(REPLAYING, asked[0], "what hangs on is_replaying is not the same in replay")


def _acts(code: Code, node: ast.AST) -> bool:
    """Waits, ends, or asks the context for something."""
    if isinstance(node, ast.Await | ast.Return | ast.Raise | ast.Break):
        return True
    return isinstance(node, ast.Call) and bool(code.context_method(node))
