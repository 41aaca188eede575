"""One source file: its tree, its lines, and what its comments ask to ignore."""

from __future__ import annotations

import ast
import io
import os
import re
import tokenize
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sched_cli.errors import UsageError
from sched_cli.source_report import describe_import_error

if TYPE_CHECKING:
    from sched_cli.check.scopes import Class, Function, Scope

_IGNORE = re.compile(r"#\s*sched:\s*ignore(?:\[(?P<rules>[^\]]*)\])?(?![\w\[])")


class UnparsableError(UsageError):
    """A file that is no Python; the message shows the line."""


@dataclass(eq=False, slots=True)
class Module:
    """A parsed file. `scope`, `functions` and `classes` are filled by `scopes`."""

    path: Path
    shown: str
    """The path as people are shown it: relative to the current folder when it is below it."""
    root: Path
    """The folder that its imports are looked up from."""
    name: str
    """Dotted, from `root`."""
    tree: ast.Module
    lines: list[str]
    ignored: dict[int, frozenset[str] | None]
    """By line: the rules to ignore there; None for all of them."""
    scope: Scope = field(init=False)
    functions: dict[ast.AST, Function] = field(default_factory=dict)
    classes: dict[ast.AST, Class] = field(default_factory=dict)
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)

    @property
    def package(self) -> str:
        """What relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    def line(self, number: int) -> str:
        return self.lines[number - 1].rstrip("\r\n") if 0 < number <= len(self.lines) else ""

    def column(self, line: int, offset: int) -> int:
        """The column, from 1 and in characters, of a byte offset as the tree gives it."""
        return len(self.line(line).encode()[:offset].decode(errors="replace")) + 1

    def is_ignored(self, rule: str, first: int, last: int) -> bool:
        """Whether a comment on the first or the last line of some code asks for it."""
        return any(
            line in self.ignored and ((rules := self.ignored[line]) is None or rule in rules)
            for line in (first, last)
        )


def parse(path: Path, root: Path, name: str) -> Module:
    """Read and parse a file. Raises UnparsableError, which names file and line."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UnparsableError(f"{shown(path)} cannot be read: {error.strerror}.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape is the compiler's to report
            tree = ast.parse(source, filename=str(path))
    except SyntaxError as error:
        raise UnparsableError(_describe(error, path, name)) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnparsableError(f"{shown(path)}:1: this is no Python: {error}.") from error
    text = _decode(source)
    module = Module(
        path=path,
        shown=shown(path),
        root=root,
        name=name,
        tree=tree,
        lines=text.splitlines(keepends=True),
        ignored=_ignore_comments(text),
    )
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            module.parents[child] = node
    return module


def _describe(error: SyntaxError, path: Path, name: str) -> str:
    error.filename = str(path)
    if not error.lineno:  # a source that cannot be decoded has no line
        error.lineno = 1
    return describe_import_error(error, name)


def _decode(source: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    return io.TextIOWrapper(io.BytesIO(source), encoding, newline=None).read()


def _ignore_comments(text: str) -> dict[int, frozenset[str] | None]:
    if "sched:" not in text:
        return {}
    found: dict[int, frozenset[str] | None] = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (comment := _IGNORE.search(token.string)):
            rules = comment["rules"]
            found[token.start[0]] = (
                None
                if rules is None
                else frozenset(rule.strip().upper() for rule in rules.split(","))
            )
    return found


def shown(path: Path) -> str:
    """Relative to the current folder when it is below it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
