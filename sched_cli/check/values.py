"""What a name at module level holds: a text, or a variable that code may change."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sched_cli.check.scopes import Binding, BindingKind, Class, Scope
from sched_cli.check.syntax import Module

if TYPE_CHECKING:
    from sched_cli.check.names import Names

_MAXIMUM_DEPTH = 16


def text_of(node: ast.expr, scope: Scope, names: Names) -> str | None:
    """The string that an expression is: a literal, or a name that is bound to one, once."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            found = scope.find(name)
            return None if found is None else _text_in(found[0], name, names)
        case ast.Attribute(value=value, attr=attribute):
            owner = names.meaning(value, scope)
            if owner is not None and isinstance(owner.definition, Module | Class):
                return _text_in(owner.definition.scope, attribute, names)
    return None


def _text_in(scope: Scope, name: str, names: Names, depth: int = 0) -> str | None:
    bindings = scope.bindings.get(name, [])
    if len(bindings) != 1 or depth > _MAXIMUM_DEPTH:
        return None
    (binding,) = bindings
    if binding.kind is BindingKind.IMPORT:
        source, inner = _imported(binding, scope.module, names)
        return None if source is None else _text_in(source.scope, inner, names, depth + 1)
    match binding:
        case Binding(kind=BindingKind.VALUE, value=ast.Constant(value=str(text))):
            return text
    return None


def global_variable(node: ast.expr, scope: Scope, names: Names) -> str:
    """The variable at module level that a name, or an attribute of a module, is: its name
    there; empty for none."""
    if isinstance(node, ast.Name):
        found = scope.find(node.id)
        if found is None or found[0].owner is not None:
            return ""
        return _variable_in(found[0].module, node.id, names)
    if isinstance(node, ast.Attribute):
        owner = names.meaning(node.value, scope)
        if owner is not None and isinstance(owner.definition, Module):
            return _variable_in(owner.definition, node.attr, names)
    return ""


def _variable_in(module: Module, name: str, names: Names, depth: int = 0) -> str:
    bindings = module.scope.bindings.get(name, [])
    if not bindings or depth > _MAXIMUM_DEPTH:
        return ""
    binding = bindings[0]
    if binding.kind is BindingKind.VALUE:
        return name
    if binding.kind is BindingKind.IMPORT:
        source, inner = _imported(binding, module, names)
        return "" if source is None else _variable_in(source, inner, names, depth + 1)
    return ""


def _imported(binding: Binding, home: Module, names: Names) -> tuple[Module | None, str]:
    """The module of the project that `from … import` takes a name from, and the name."""
    module_name, _, name = binding.origin.rpartition(".")
    return (names.project.load(module_name, home) if module_name else None), name
