"""A page of the guide as a program: an engine, a worker, and its blocks in order.

The Python blocks of a page are one module. Those that declare things are run
first; then a real worker serves every workflow and activity that they declare;
then the blocks that `await` something at their top level are run, one after the
other, with a connected `client`. What such a block prints must be what the
comments behind its `print(…)` calls say.

A block with a title stands apart from the module; a test runs it by name.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sched_sdk import Client, Worker
from sched_server import EngineServer
from tests.docs.markdown import ROOT, Block, blocks_of
from tests.servers.engine import engine_here

GUIDE = ROOT / "docs" / "guide"

_PRINTS = re.compile(r"^\s*print\(.*\)  # (.+)$", re.MULTILINE)
_WRITTEN_ADDRESS = "localhost:50051"


class Page:
    """A page whose module was run, and what it needs to go on."""

    def __init__(self, path: Path, engine: EngineServer, client: Client) -> None:
        self.path = path
        self.engine = engine
        self.client = client
        self.module = _module(path)
        self.printed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        """What the page's module declares."""
        return getattr(self.module, name)

    def declare(self) -> None:
        """Run the blocks that declare things."""
        for block in self._blocks():
            if not is_driver(block):
                exec(compiled(block, self._adapt(block)), vars(self.module))

    async def drive(self) -> None:
        """Run the blocks that await something, and compare what they print."""
        names = vars(self.module)
        for block in self._blocks():
            if is_driver(block):
                names |= {"client": self.client, "print": self._print}
                self.printed.clear()
                result = eval(compiled(block, self._adapt(block)), names)
                assert inspect.isawaitable(result)
                await result
                assert self.printed == _PRINTS.findall(block.text), str(block)

    def workflows(self) -> list[Callable[..., Any]]:
        return declared(vars(self.module).values(), "workflow")

    def activities(self) -> list[Callable[..., Any]]:
        return declared(vars(self.module).values(), "activity")

    async def never_started(self) -> set[str]:
        """The workflows of the page that nothing has run."""
        seen = {run.workflow_type async for run in self.client.list_workflows()}
        return {fn.__sched_workflow__.name for fn in self.workflows()} - seen  # type: ignore[attr-defined]

    def _blocks(self) -> list[Block]:
        return [b for b in blocks_of(self.path) if b.language == "python" and not b.title]

    def _adapt(self, block: Block) -> str:
        return block.text.replace(_WRITTEN_ADDRESS, self.engine.address)

    def _print(self, *values: object) -> None:
        self.printed.append(" ".join(map(str, values)))


@asynccontextmanager
async def running(name: str) -> AsyncIterator[Page]:
    """A page of the guide, declared, served and driven. At the end every
    workflow that it shows must have been run."""
    path = GUIDE / f"{name}.md" if not name.endswith(".md") else ROOT / name
    async with engine_here() as server, await Client.connect(server.address) as client:
        page = Page(path, server, client)
        page.declare()
        worker = Worker(client, workflows=page.workflows(), activities=page.activities())
        async with worker:
            await page.drive()
            yield page
            assert await page.never_started() == set()


def compiled(block: Block, text: str | None = None) -> Any:
    """The code of a block; its lines are numbered as in the page."""
    source = "\n" * (block.line - 1) + (block.text if text is None else text)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return compile(source, str(block.path), "exec", flags=flags, dont_inherit=True)


def is_driver(block: Block) -> bool:
    """Whether the block awaits something at its top level."""
    return bool(compiled(block).co_flags & inspect.CO_COROUTINE)


def module_of(block: Block, edit: tuple[str, str] | None = None) -> ModuleType:
    """A block with a title, perhaps edited, run as an app.py of its own."""
    module = _module(block.path, block.title)
    text = block.text
    if edit is not None:
        assert edit[0] in text
        text = text.replace(*edit)
    exec(compile(text, "app.py", "exec", dont_inherit=True), vars(module))
    return module


def declared(values: Iterable[Any], kind: str) -> list[Callable[..., Any]]:
    """The workflows or the activities among these, each once."""
    marked = (value for value in values if hasattr(value, f"__sched_{kind}__"))
    return list({id(value): value for value in marked}.values())


def _module(path: Path, title: str = "") -> ModuleType:
    name = re.sub(r"\W+", "_", f"docs_{path.stem}_{title}").strip("_")
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # where dataclasses look their annotations up
    return module
