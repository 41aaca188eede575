"""Which types cannot be stored, as far as the source says."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sched_cli.check.names import CONTEXT
from sched_cli.check.scopes import BindingKind, Class

if TYPE_CHECKING:
    from sched_cli.check.names import Meaning, Names
    from sched_cli.check.scopes import Scope

_MAXIMUM_DEPTH = 6


def _of(module: str, text: str) -> set[str]:
    return {f"{module}.{name}" for name in text.split()}


_CODE = "Awaitable Callable Coroutine Generator Iterator AsyncGenerator AsyncIterable AsyncIterator"
_UNFIT = frozenset(
    _of("collections.abc", _CODE)
    | _of("typing", f"{_CODE} IO TextIO BinaryIO")
    | _of("io", "BytesIO StringIO TextIOWrapper BufferedReader BufferedWriter FileIO IOBase")
    | _of("asyncio", "Condition Event Future Lock Queue Semaphore Task")
    | _of("builtins", "complex enumerate filter generator iter lambda map range reversed slice zip")
    | _of("threading", "Condition Event Lock RLock Semaphore Thread")
    | _of("types", "CodeType FrameType FunctionType MethodType ModuleType TracebackType")
    | _of("sqlite3", "Connection Cursor")
    | _of("re", "Match Pattern")
    | _of("contextvars", "Context ContextVar")
    | _of("itertools", "count cycle")
    | _of("sched_sdk", "ActivityContext ActivityHandle Client SyncClient Worker WorkflowContext")
    | _of("requests", "Response Session")
    | _of("httpx", "AsyncClient Client Response")
    | {
        "aiohttp.ClientSession",
        "logging.Logger",
        "numpy.ndarray",
        "pandas.DataFrame",
        "pandas.Series",
        "socket.socket",
        "subprocess.Popen",
    }
)
# What stands in an annotation without being a part of the value.
_LITERAL = ("typing.Literal", "typing_extensions.Literal")


def unfit_type(meaning: Meaning, names: Names) -> str:
    """What to call an instance that cannot be stored; empty for one that may be."""
    if meaning.origin in _UNFIT:
        return "the context" if meaning.origin == CONTEXT else _article(meaning.origin)
    if isinstance(meaning.definition, Class) and _is_plain(meaning.definition, names):
        return f"{_article(meaning.definition.name)} (a class without declared fields)"
    return ""


def _article(origin: str) -> str:
    name = origin.rpartition(".")[2]
    return f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}"


def _is_plain(class_: Class, names: Names, depth: int = 0) -> bool:
    """Neither a dataclass, nor a TypedDict, enum, model or the like: only then is it
    certain that nobody knows its fields."""
    if class_.node.decorator_list or class_.node.keywords or depth > _MAXIMUM_DEPTH:
        return False
    for base in class_.node.bases:
        meaning = names.meaning(base, class_.outer)
        if meaning is not None and meaning.origin == "builtins.object":
            continue
        if meaning is None or not isinstance(meaning.definition, Class):
            return False
        if not _is_plain(meaning.definition, names, depth + 1):
            return False
    return True


def unfit_annotation(node: ast.expr, scope: Scope, names: Names, depth: int = 0) -> str:
    """The part of an annotation that cannot be stored, with the way to it
    (`Order.on_paid: a Callable`); empty for none."""
    if depth > _MAXIMUM_DEPTH:
        return ""
    match node:
        case ast.Constant(value=str(text)):
            try:
                return unfit_annotation(ast.parse(text, mode="eval").body, scope, names, depth + 1)
            except SyntaxError:
                return ""
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return unfit_annotation(left, scope, names, depth + 1) or unfit_annotation(
                right, scope, names, depth + 1
            )
        case ast.Subscript(value=value, slice=inner):
            return _of_generic(value, inner, scope, names, depth)
        case ast.Name() | ast.Attribute():
            meaning = names.annotated(node, scope)
            if meaning is None:
                return ""
            return unfit_type(meaning, names) or _of_fields(meaning, names, depth)
    return ""


def _of_generic(value: ast.expr, inner: ast.expr, scope: Scope, names: Names, depth: int) -> str:
    generic = names.meaning(value, scope)
    if generic is None or generic.origin in _LITERAL:
        return ""
    if generic.origin in _UNFIT:
        return _article(generic.origin)
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if generic.origin in ("typing.Annotated", "typing_extensions.Annotated"):
        parts = parts[:1]
    found = (unfit_annotation(part, scope, names, depth + 1) for part in parts)
    return next((unfit for unfit in found if unfit), "")


def _of_fields(meaning: Meaning, names: Names, depth: int) -> str:
    """The fields of a dataclass of the project."""
    class_ = meaning.definition
    if not isinstance(class_, Class) or not _is_dataclass(class_, names):
        return ""
    for field, bindings in class_.scope.bindings.items():
        for binding in bindings:
            if binding.kind is not BindingKind.VALUE or binding.annotation is None:
                continue
            if "ClassVar" in ast.unparse(binding.annotation):
                continue
            unfit = unfit_annotation(binding.annotation, class_.scope, names, depth + 2)
            if unfit:
                return f"{_article(class_.name)} with the field `{field}`, {unfit}"
    return ""


def _is_dataclass(class_: Class, names: Names) -> bool:
    for decorator in class_.node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        meaning = names.meaning(called, class_.outer)
        if meaning is not None and meaning.origin == "dataclasses.dataclass":
            return True
    return False
