"""Write `sched_sdk/_client/sync_client.py` from the async client.

The synchronous face has every public method of the async one, with the same
parameters and documentation; its bodies only hand the call to a loop in a
thread. A test fails when the file is not what this would write.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parent.parent / "sched_sdk" / "_client"
TARGET = CLIENT / "sync_client.py"
SOURCES = {"client.py": ("Client",), "handles.py": ("WorkflowHandle", "ActivityTaskHandle")}
HANDLES = ("WorkflowHandle", "ActivityTaskHandle")

HEADER = '''"""The client for code without an event loop: Flask, Django, scripts.

Written by scripts/generate_sync_client.py from the async client; change that,
then run the script again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, TypeVarTuple, Unpack, overload

from sched_sdk._client.client import Client
from sched_sdk._client.loop_thread import LoopThread
from sched_sdk._client.requests import StartOptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from sched_sdk._access import TLS
    from sched_sdk._client.handles import ActivityTaskHandle, WorkflowHandle
    from sched_sdk._client.models import (
        ClusterStatus,
        Event,
        WorkflowCount,
        WorkflowDescription,
        WorkflowInfo,
        WorkflowStatus,
    )
    from sched_sdk._context import WorkflowContext

__all__ = ["SyncActivityTaskHandle", "SyncClient", "SyncWorkflowHandle"]

R = TypeVar("R")
Answer = TypeVar("Answer")
Arguments = TypeVarTuple("Arguments")
'''

OPENINGS = {
    "Client": '''

class SyncClient:
    """`Client` for code without an event loop: the same methods, which wait.

        with SyncClient.connect("localhost:50051") as client:
            print(client.execute_workflow(monthly_report, "2026-11"))

    May be used from several threads. Connect after forking, not before: the
    connection lives in a thread of its own.
    """

    def __init__(self, thread: LoopThread, client: Client) -> None:
        """Use `SyncClient.connect`."""
        self._thread = thread
        self._async = client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
''',
    "WorkflowHandle": '''

class SyncWorkflowHandle(Generic[R]):
    """`WorkflowHandle` for code without an event loop."""

    def __init__(self, thread: LoopThread, handle: WorkflowHandle[R]) -> None:
        self._thread = thread
        self._async = handle

    def __repr__(self) -> str:
        return f"Sync{self._async!r}"
''',
    "ActivityTaskHandle": '''

class SyncActivityTaskHandle:
    """`ActivityTaskHandle` for code without an event loop."""

    def __init__(self, thread: LoopThread, handle: ActivityTaskHandle) -> None:
        self._thread = thread
        self._async = handle
''',
}

CONNECT_BODY = """
thread = LoopThread()
try:
    client = thread.run(Client.connect({arguments}))
except BaseException:
    thread.close()
    raise
return cls(thread, client)
"""

CLOSE_BODY = """
try:
    self._thread.run(self._async.close())
finally:
    self._thread.close()
"""

# What the async client allows itself, with its reasons.
ALLOWANCES = {
    "_workflow(self, workflow: Any": (
        "_workflow(  # type: ignore[misc]  # as in the async client\n    self, workflow: Any"
    ),
    "query(self, query: Any": (
        "query(  # type: ignore[misc]  # as in the async client\n    self, query: Any"
    ),
    "(self, id: str,": "(\n    self,\n    id: str,  # noqa: A002 - the name in the public API\n   ",
    " id: str | None=None,": (
        "\n    id: str | None=None,  # noqa: A002 - the name in the public API\n   "
    ),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> None:
    TARGET.write_text(generate())


def generate() -> str:
    """The text of the file, formatted."""
    parts = [HEADER]
    for name, classes in SOURCES.items():
        module = ast.parse((CLIENT / name).read_text())
        for node in module.body:
            if isinstance(node, ast.ClassDef) and node.name in classes:
                parts.append(OPENINGS[node.name])
                parts.extend(_method(member) for member in node.body if _is_public(member))
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TARGET), "-"]
    done = subprocess.run(command, input="".join(parts), capture_output=True, text=True, check=True)
    return done.stdout


def _is_public(member: ast.stmt) -> bool:
    return isinstance(member, Function) and not member.name.startswith("_")


def _method(member: ast.stmt) -> str:
    assert isinstance(member, Function)
    method = ast.FunctionDef(
        name=member.name,
        args=member.args,
        body=_body(member),
        decorator_list=member.decorator_list,
        returns=_sync_type(member.returns),
        lineno=0,
    )
    text = ast.unparse(ast.fix_missing_locations(method))
    if not _is_overload(member):
        for pattern, replacement in ALLOWANCES.items():
            text = text.replace(pattern, replacement, 1)
    lines = "\n".join(f"    {line}" if line else "" for line in text.split("\n"))
    return f"\n{lines}\n"


def _body(member: Function) -> list[ast.stmt]:
    if _is_overload(member):
        return [ast.Expr(ast.Constant(...))]
    call = f"{member.name}({_arguments(member.args)})"
    returns = ast.unparse(member.returns) if member.returns else ""
    is_property = any(ast.unparse(entry) == "property" for entry in member.decorator_list)
    if member.name == "connect":
        code = CONNECT_BODY.format(arguments=_arguments(member.args))
    elif member.name == "close":
        code = CLOSE_BODY
    elif is_property:
        code = f"return self._async.{member.name}"
    elif returns.startswith("AsyncIterator"):
        code = f"yield from self._thread.iterate(self._async.{call})"
    else:
        result = f"self._async.{call}"
        if isinstance(member, ast.AsyncFunctionDef):
            result = f"self._thread.run({result})"
        handle = next((name for name in HANDLES if returns.startswith(name)), None)
        code = f"return Sync{handle}(self._thread, {result})" if handle else f"return {result}"
        if returns == "None":
            code = result
    documentation = ast.get_docstring(member, clean=False)
    body: list[ast.stmt] = [] if documentation is None else [ast.Expr(ast.Constant(documentation))]
    return body + ast.parse(code).body


def _is_overload(member: Function) -> bool:
    return any(ast.unparse(entry) == "overload" for entry in member.decorator_list)


def _arguments(arguments: ast.arguments) -> str:
    """The parameters of a method as the arguments of a call."""
    positional = [entry.arg for entry in (*arguments.posonlyargs, *arguments.args)]
    passed = [name for name in positional if name not in ("self", "cls")]
    if arguments.vararg is not None:
        passed.append(f"*{arguments.vararg.arg}")
    passed.extend(f"{entry.arg}={entry.arg}" for entry in arguments.kwonlyargs)
    if arguments.kwarg is not None:
        passed.append(f"**{arguments.kwarg.arg}")
    return ", ".join(passed)


def _sync_type(annotation: ast.expr | None) -> ast.expr | None:
    if annotation is None:
        return None
    text = ast.unparse(annotation).replace("AsyncIterator", "Iterator")
    for name in HANDLES:
        text = text.replace(name, f"Sync{name}")
    return ast.parse(text, mode="eval").body


if __name__ == "__main__":
    main()
