"""What an expression means, as far as the source says it for certain.

A meaning is a dotted name (`time.time`, `pathlib.Path.read_text`), with the definition
behind it where that is in the project, and whether it is the thing itself or an instance
of it. It is followed through imports and re-exports, single assignments, `with … as`,
annotations, constructors and the results of functions that are annotated. What is bound
twice with different meanings has none.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sched_cli.check.scopes import Binding, BindingKind, Class, Function, Scope
from sched_cli.check.syntax import Module

if TYPE_CHECKING:
    from sched_cli.check.project import Project

CONTEXT = "sched_sdk.WorkflowContext"
_MAXIMUM_DEPTH = 40

# Wrappers that say nothing about what a value is.
_TRANSPARENT = frozenset(
    {"typing.Annotated", "typing.Final", "typing.ClassVar", "typing.Optional", "typing.Required"}
)
# Functions of libraries, and what they give back.
_RESULTS = {
    "asyncio.Runner": "asyncio.Runner",
    "asyncio.create_task": "asyncio.Task",
    "asyncio.ensure_future": "asyncio.Future",
    "asyncio.gather": "asyncio.Future",
    "asyncio.shield": "asyncio.Future",
    "asyncio.TaskGroup.create_task": "asyncio.Task",
    "asyncio.get_event_loop": "asyncio.AbstractEventLoop",
    "asyncio.get_running_loop": "asyncio.AbstractEventLoop",
    "builtins.enumerate": "builtins.enumerate",
    "builtins.filter": "builtins.filter",
    "builtins.frozenset": "builtins.frozenset",
    "builtins.dict": "builtins.dict",
    "builtins.iter": "builtins.iter",
    "builtins.list": "builtins.list",
    "builtins.map": "builtins.map",
    "builtins.memoryview": "builtins.memoryview",
    "builtins.open": "io.TextIOWrapper",
    "builtins.range": "builtins.range",
    "builtins.reversed": "builtins.reversed",
    "builtins.set": "builtins.set",
    "builtins.sorted": "builtins.list",
    "builtins.tuple": "builtins.tuple",
    "builtins.zip": "builtins.zip",
    "collections.defaultdict": "builtins.dict",
    "collections.deque": "collections.deque",
    "io.open": "io.TextIOWrapper",
    "itertools.count": "itertools.count",
    "itertools.cycle": "itertools.cycle",
    "logging.getLogger": "logging.Logger",
    "pathlib.Path.cwd": "pathlib.Path",
    "pathlib.Path.home": "pathlib.Path",
    "pathlib.Path.open": "io.TextIOWrapper",
    "re.compile": "re.Pattern",
    "socket.create_connection": "socket.socket",
    "socket.socket": "socket.socket",
    "sqlite3.connect": "sqlite3.Connection",
    f"{CONTEXT}.queue_activity": "sched_sdk.ActivityHandle",
    f"{CONTEXT}.step": "asyncio.Future",
}
# Attributes and methods that give another of the same type.
_SAME_TYPE = frozenset(
    {
        *(f"pathlib.Path.{name}" for name in ("absolute", "expanduser", "joinpath", "parent")),
        *(f"pathlib.Path.{name}" for name in ("resolve", "with_name", "with_suffix")),
        *(
            f"builtins.{kind}.{name}"
            for kind in ("set", "frozenset")
            for name in ("copy", "difference", "intersection", "symmetric_difference", "union")
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an expression stands for."""

    origin: str
    """Dotted. Of the project's own: module and name."""
    instance: bool = False
    """An instance of it, rather than it itself."""
    definition: Module | Class | Function | None = None
    annotation: ast.expr | None = None
    """Of an instance: the annotation that says so, for what it is made of."""

    @property
    def is_context(self) -> bool:
        return self.instance and self.origin == CONTEXT


class Names:
    """Resolves expressions of all modules of a project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[tuple[Scope, str], Meaning | None] = {}

    def forget(self) -> None:
        """Begin anew, because something was learnt that names may depend on."""
        self._known.clear()

    # -- scopes

    def scope_around(self, module: Module, node: ast.AST) -> Scope:
        """The scope that a node is in; of a function or class, the one it is defined in."""
        parent = module.parents.get(node)
        while parent is not None:
            if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
                return module.functions[parent].scope
            if isinstance(parent, ast.ClassDef):
                return module.classes[parent].scope
            parent = module.parents.get(parent)
        return module.scope

    # -- expressions

    def meaning(self, node: ast.expr, scope: Scope, depth: int = 0) -> Meaning | None:
        """What an expression stands for; None when that is not certain."""
        if depth > _MAXIMUM_DEPTH:
            return None
        match node:
            case ast.Name(id=name):
                return self._of_name(name, scope, depth + 1)
            case ast.Attribute(value=value, attr=attribute):
                return self._of_attribute(value, attribute, scope, depth + 1)
            case ast.Call(func=called):
                return self._of_call(self.meaning(called, scope, depth + 1), depth)
            case ast.Await(value=ast.Call() as call):
                return self._of_awaited(call, scope, depth + 1)
            case ast.NamedExpr(value=value):
                return self.meaning(value, scope, depth + 1)
            case ast.BinOp():
                return self._of_operation(node, scope, depth + 1)
            case ast.Set() | ast.SetComp():
                return Meaning("builtins.set", instance=True)
            case ast.List() | ast.ListComp():
                return Meaning("builtins.list", instance=True)
            case ast.Dict() | ast.DictComp():
                return Meaning("builtins.dict", instance=True)
            case ast.Lambda():
                return Meaning("builtins.lambda", instance=True)
            case ast.GeneratorExp():
                return Meaning("builtins.generator", instance=True)
        return None

    def _of_attribute(
        self, value: ast.expr, attribute: str, scope: Scope, depth: int
    ) -> Meaning | None:
        owner = self.meaning(value, scope, depth)
        if owner is None:
            return None
        if owner.definition is None and not owner.instance:
            # It may be a module of a folder without `__init__.py`.
            return self.imported(f"{owner.origin}.{attribute}", scope.module, depth)
        return self.member(owner, attribute, depth)

    def _of_name(self, name: str, scope: Scope, depth: int) -> Meaning | None:
        found = scope.find(name)
        if found is None:
            return Meaning(f"builtins.{name}") if hasattr(builtins, name) else None
        where, bindings = found
        key = (where, name)
        if key not in self._known:
            self._known[key] = None  # what it means while that is being found out: `x = x + 1`
            self._known[key] = self._of_bindings(name, bindings, where, depth)
        return self._known[key]

    def _of_bindings(
        self, name: str, bindings: list[Binding], where: Scope, depth: int
    ) -> Meaning | None:
        imports = [binding for binding in bindings if binding.kind is BindingKind.IMPORT]
        if imports and where.owner is None:
            bindings = imports[:1]  # `except ImportError: requests = None` does not hide it
        meanings = [self._of_binding(name, binding, where, depth) for binding in bindings]
        first = meanings[0]
        return first if all(meaning == first for meaning in meanings) else None

    def _of_binding(self, name: str, binding: Binding, scope: Scope, depth: int) -> Meaning | None:
        match binding.kind:
            case BindingKind.IMPORT:
                return self.imported(binding.origin, scope.module, depth)
            case BindingKind.DEFINITION:
                return Meaning(f"{scope.module.name}.{name}", definition=binding.definition)
            case BindingKind.PARAMETER:
                return self._of_parameter(name, binding, scope, depth)
            case BindingKind.VALUE:
                if binding.annotation is not None:
                    return self.annotated(binding.annotation, scope, depth)
                return None if binding.value is None else self.meaning(binding.value, scope, depth)
            case BindingKind.WITH:
                return None if binding.value is None else self.meaning(binding.value, scope, depth)
        return None

    def _of_parameter(
        self, name: str, binding: Binding, scope: Scope, depth: int
    ) -> Meaning | None:
        function = scope.owner
        assert isinstance(function, Function)
        if name in function.contexts:
            return Meaning(CONTEXT, instance=True)
        if function.class_ is not None and binding.node is next(iter(function.positional()), None):
            decorators = {ast.unparse(item) for item in function.node.decorator_list}
            if "staticmethod" in decorators:
                return None
            origin = f"{function.module.name}.{function.class_.name}"
            instance = "classmethod" not in decorators
            return Meaning(origin, instance=instance, definition=function.class_)
        if binding.annotation is None:
            return None
        return self.annotated(binding.annotation, function.outer, depth)

    def _of_call(self, called: Meaning | None, depth: int) -> Meaning | None:
        if called is None or called.instance:
            return None
        if isinstance(called.definition, Class):
            return replace(called, instance=True)
        if isinstance(called.definition, Function):
            if called.definition.is_async:
                return Meaning("collections.abc.Coroutine", instance=True)
            return self.result(called.definition, depth)
        if called.origin in _SAME_TYPE:
            return Meaning(called.origin.rpartition(".")[0], instance=True)
        if called.origin in _RESULTS:
            return Meaning(_RESULTS[called.origin], instance=True)
        is_class = called.origin.rpartition(".")[2][:1].isupper()
        return Meaning(called.origin, instance=True) if is_class else None

    def _of_awaited(self, call: ast.Call, scope: Scope, depth: int) -> Meaning | None:
        """The result of an async function of the project, of an activity or of a step."""
        called = self.meaning(call.func, scope, depth)
        if called is not None and called.origin in (f"{CONTEXT}.queue_activity", f"{CONTEXT}.step"):
            called = self.meaning(call.args[0], scope, depth) if call.args else None
        if called is None or not isinstance(called.definition, Function):
            return None
        return self.result(called.definition, depth)

    def result(self, function: Function, depth: int = 0) -> Meaning | None:
        """What a function is annotated to return."""
        if function.node.returns is None:
            return None
        return self.annotated(function.node.returns, function.outer, depth + 1)

    def _of_operation(self, node: ast.BinOp, scope: Scope, depth: int) -> Meaning | None:
        left = self.meaning(node.left, scope, depth)
        if left is None or not left.instance:
            return None
        if isinstance(node.op, ast.Div) and left.origin == "pathlib.Path":
            return left
        operators = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)
        if isinstance(node.op, operators) and left.origin in ("builtins.set", "builtins.frozenset"):
            return left
        return None

    # -- what is imported, and members of it

    def imported(self, dotted: str, home: Module, depth: int = 0) -> Meaning | None:
        """What an absolute dotted name is, seen from a module."""
        if depth > _MAXIMUM_DEPTH:
            return None
        parts = dotted.split(".")
        for length in range(len(parts), 0, -1):
            name = ".".join(parts[:length])
            module = self.project.load(name, home)
            if module is None:
                continue
            meaning: Meaning | None = Meaning(name, definition=module)
            for attribute in parts[length:]:
                if meaning is not None:
                    meaning = self.member(meaning, attribute, depth + 1)
            return meaning
        return Meaning(_public(dotted))

    def member(self, owner: Meaning, attribute: str, depth: int = 0) -> Meaning | None:
        """`owner.attribute`."""
        if depth > _MAXIMUM_DEPTH:
            return None
        match owner.definition:
            case Module() as module:
                return self._of_module_member(module, attribute, depth)
            case Class() as class_:
                return self._of_class_member(class_, attribute, depth)
            case Function():
                return None
        origin = f"{owner.origin}.{attribute}"
        if origin in _SAME_TYPE and attribute == "parent":
            return replace(owner)
        return Meaning(origin)

    def _of_module_member(self, module: Module, attribute: str, depth: int) -> Meaning | None:
        if attribute in module.scope.bindings:
            return self._of_name(attribute, module.scope, depth + 1)
        name = f"{module.package}.{attribute}" if module.package else attribute
        inner = self.project.load(name, module) if module.path.name == "__init__.py" else None
        return None if inner is None else Meaning(name, definition=inner)

    def _of_class_member(self, class_: Class, attribute: str, depth: int) -> Meaning | None:
        if attribute in class_.scope.bindings:
            return self._of_name(attribute, class_.scope, depth + 1)
        for base in class_.node.bases:
            meaning = self.meaning(base, class_.outer, depth + 1)
            if meaning is None or not isinstance(meaning.definition, Class):
                continue
            if (
                found := self._of_class_member(meaning.definition, attribute, depth + 1)
            ) is not None:
                return found
        return self._set_in_init(class_, attribute, depth)

    def _set_in_init(self, class_: Class, attribute: str, depth: int) -> Meaning | None:
        """`self.attribute = value` in `__init__`, if it is set there once."""
        found = (
            self._of_name("__init__", class_.scope, depth)
            if ("__init__" in class_.scope.bindings)
            else None
        )
        if found is None or not isinstance(found.definition, Function):
            return None
        init = found.definition
        values = [
            node.value
            for node in ast.walk(init.node)
            if isinstance(node, ast.Assign)
            and any(
                isinstance(target, ast.Attribute)
                and target.attr == attribute
                and isinstance(target.value, ast.Name)
                and target.value.id == "self"
                for target in node.targets
            )
        ]
        return self.meaning(values[0], init.scope, depth + 1) if len(values) == 1 else None

    # -- annotations

    def annotated(self, node: ast.expr, scope: Scope, depth: int = 0) -> Meaning | None:
        """What a value with this annotation is an instance of; of `X | None`, of X."""
        if depth > _MAXIMUM_DEPTH:
            return None
        match node:
            case ast.Constant(value=str(text)):
                parsed = _parsed(text)
                return None if parsed is None else self.annotated(parsed, scope, depth + 1)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                sides = [side for side in (left, right) if not _is_none(side)]
                return self.annotated(sides[0], scope, depth + 1) if len(sides) == 1 else None
            case ast.Subscript(value=value, slice=inner):
                generic = self.meaning(value, scope, depth + 1)
                if generic is not None and generic.origin in _TRANSPARENT:
                    first = inner.elts[0] if isinstance(inner, ast.Tuple) else inner
                    return self.annotated(first, scope, depth + 1)
                if generic is None or generic.instance:
                    return None
                return replace(generic, instance=True, annotation=node)
            case ast.Name() | ast.Attribute():
                meaning = self.meaning(node, scope, depth + 1)
                if meaning is None or meaning.instance:
                    return None
                return replace(meaning, instance=True, annotation=node)
        return None


def _public(dotted: str) -> str:
    """The public name of what a private module of the SDK holds."""
    package, _, rest = dotted.partition(".")
    if package == "sched_sdk" and rest.startswith("_"):
        return f"{package}.{rest.rpartition('.')[2]}"
    return dotted


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
