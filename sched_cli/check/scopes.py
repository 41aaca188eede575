"""Which names a file binds, and to what.

A scope is a module, a class or a function. Everything that binds a name in it is kept,
so that a name which is bound twice is known to be uncertain. Comprehensions and lambdas
have no scope of their own here: their names count as bound in the function around them,
which makes a name less certain, never wrongly certain.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_cli.check.syntax import Module

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class BindingKind(Enum):
    IMPORT = auto()
    DEFINITION = auto()
    VALUE = auto()
    WITH = auto()
    PARAMETER = auto()
    OTHER = auto()
    """A loop variable, an unpacked value, a captured exception: nothing is known of it."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One place where a name gets a meaning."""

    kind: BindingKind
    node: ast.AST
    origin: str = ""
    """IMPORT: the absolute dotted name."""
    value: ast.expr | None = None
    """VALUE and WITH: the expression."""
    annotation: ast.expr | None = None
    """VALUE and PARAMETER."""
    definition: Function | Class | None = None


@dataclass(eq=False, slots=True)
class Scope:
    module: Module
    parent: Scope | None
    owner: Function | Class | None = None
    """None: the module itself."""
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    """Names that `global` and `nonlocal` give to an outer scope."""
    globals: set[str] = field(default_factory=set)

    def find(self, name: str) -> tuple[Scope, list[Binding]] | None:
        """The scope that binds a name, as Python looks it up from here; None: a builtin."""
        if name in self.globals:
            return _in(self.module.scope, name)
        scope: Scope | None = self
        while scope is not None:
            # The names of a class are only seen from its own body.
            if scope is self or not isinstance(scope.owner, Class):
                found = None if name in scope.elsewhere else _in(scope, name)
                if found is not None:
                    return found
            scope = scope.parent
        return None


def _in(scope: Scope, name: str) -> tuple[Scope, list[Binding]] | None:
    return (scope, scope.bindings[name]) if name in scope.bindings else None


@dataclass(eq=False, slots=True)
class Function:
    module: Module
    node: FunctionNode
    outer: Scope
    """Where it is defined."""
    scope: Scope = field(init=False)
    contexts: set[str] = field(default_factory=set)
    """Parameters that are known to be a workflow's context."""

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def is_async(self) -> bool:
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def class_(self) -> Class | None:
        owner = self.outer.owner
        return owner if isinstance(owner, Class) else None

    @property
    def shown_name(self) -> str:
        """With its class, as tracebacks name it."""
        return self.name if self.class_ is None else f"{self.class_.name}.{self.name}"

    def positional(self) -> list[ast.arg]:
        arguments = self.node.args
        return [*arguments.posonlyargs, *arguments.args]

    def parameters(self) -> list[ast.arg]:
        arguments = self.node.args
        rest = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
        return [*self.positional(), *arguments.kwonlyargs, *rest]


@dataclass(eq=False, slots=True)
class Class:
    module: Module
    node: ast.ClassDef
    outer: Scope
    scope: Scope = field(init=False)

    @property
    def name(self) -> str:
        return self.node.name


def build_scopes(module: Module) -> None:
    """Fill the module's `scope`, `functions` and `classes`."""
    module.scope = Scope(module, None)
    _Binder(module.scope).visit_body(module.tree.body)


class _Binder(ast.NodeVisitor):
    """Collects the bindings of one scope, and starts another one for each inside it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def visit_body(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.visit(statement)

    def _bind(self, name: str, binding: Binding) -> None:
        self._scope.bindings.setdefault(name, []).append(binding)

    # -- definitions

    def visit_FunctionDef(self, node: FunctionNode) -> None:
        function = Function(self._scope.module, node, self._scope)
        function.scope = Scope(self._scope.module, self._scope, function)
        self._scope.module.functions[node] = function
        self._bind(node.name, Binding(BindingKind.DEFINITION, node, definition=function))
        for expression in (*node.decorator_list, *_defaults(node)):
            self.visit(expression)
        inner = _Binder(function.scope)
        for argument in function.parameters():
            kind = (
                BindingKind.OTHER
                if argument in (node.args.vararg, node.args.kwarg)
                else BindingKind.PARAMETER
            )
            inner._bind(argument.arg, Binding(kind, argument, annotation=argument.annotation))
        inner.visit_body(node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's name

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        defined = Class(self._scope.module, node, self._scope)
        defined.scope = Scope(self._scope.module, self._scope, defined)
        self._scope.module.classes[node] = defined
        self._bind(node.name, Binding(BindingKind.DEFINITION, node, definition=defined))
        for expression in (*node.decorator_list, *node.bases):
            self.visit(expression)
        _Binder(defined.scope).visit_body(node.body)

    # -- what other modules give

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            origin = alias.name if alias.asname else alias.name.partition(".")[0]
            self._bind(alias.asname or origin, Binding(BindingKind.IMPORT, node, origin))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = _import_base(self._scope.module, node)
        for alias in node.names:
            origin = f"{base}.{alias.name}" if base else alias.name
            self._bind(alias.asname or alias.name, Binding(BindingKind.IMPORT, node, origin))

    # -- values

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._assign(target, node, node.value)
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name):
            binding = Binding(BindingKind.VALUE, node, value=node.value, annotation=node.annotation)
            self._bind(node.target.id, binding)
        if node.value is not None:
            self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """`x += 1` gives x a new value, not a new meaning."""
        if not isinstance(node.target, ast.Name):
            self.visit(node.target)
        self.visit(node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._assign(node.target, node, node.value)
        self.visit(node.value)

    def _assign(self, target: ast.expr, node: ast.AST, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, Binding(BindingKind.VALUE, node, value=value))
        else:
            self.visit(target)

    def visit_withitem(self, node: ast.withitem) -> None:
        if isinstance(node.optional_vars, ast.Name):
            name = node.optional_vars.id
            self._bind(name, Binding(BindingKind.WITH, node, value=node.context_expr))
        elif node.optional_vars is not None:
            self.visit(node.optional_vars)
        self.visit(node.context_expr)

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._bind(node.id, Binding(BindingKind.OTHER, node))

    def visit_arg(self, node: ast.arg) -> None:
        self._bind(node.arg, Binding(BindingKind.OTHER, node))  # of a lambda

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._bind_name_of(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._bind_name_of(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._bind_name_of(node)

    def _bind_name_of(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self._bind(node.name, Binding(BindingKind.OTHER, node))
        self.generic_visit(node)

    # -- names of outer scopes

    def visit_Global(self, node: ast.Global) -> None:
        self._scope.globals.update(node.names)
        self._scope.elsewhere.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self._scope.elsewhere.update(node.names)


def _defaults(node: FunctionNode) -> Iterator[ast.expr]:
    yield from node.args.defaults
    yield from (default for default in node.args.kw_defaults if default is not None)


def _import_base(module: Module, node: ast.ImportFrom) -> str:
    """The absolute name of the module that names are imported from."""
    if not node.level:
        return node.module or ""
    parts = module.package.split(".") if module.package else []
    parts = parts[: len(parts) - (node.level - 1)]
    return ".".join([*parts, *([node.module] if node.module else [])])
