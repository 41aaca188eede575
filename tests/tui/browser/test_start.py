"""What a start imports decides how soon something is painted, so that is what is tested;
`python -m benchmarks.browser` has the figures."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tests.cli.support import wait_until
from tests.cli.terminal import OnTerminal

if TYPE_CHECKING:
    from pathlib import Path

# The client is the first thing that is imported behind the first paint. Here it never
# comes, which holds nobody up but whoever waits for it.
_WITHOUT_CLIENT = """
import json, os, sys, threading

def look(event, arguments):
    if event == "import" and arguments[0] == "sched_sdk":
        with open("modules.new", "w", encoding="utf-8") as file:
            json.dump([*sys.modules], file)
        os.replace("modules.new", "modules")
        threading.Event().wait()

sys.addaudithook(look)
from sched_cli.main import run
run(["tui"])
"""
_NOT_YET = {
    "google.protobuf",
    "grpc",
    "importlib.metadata",
    "markdown_it",
    "msgspec",
    "pydantic",
    "pygments",
    "sched_server",
    "tree_sitter",
    "uvloop",
    "sched_cli.render.why",
    "sched_cli.tui.browser.screens.actions",
    "sched_cli.tui.browser.screens.cluster",
    "sched_cli.tui.browser.screens.dialog",
    "sched_cli.tui.browser.screens.help",
    "sched_cli.tui.browser.screens.workflow",
    "sched_cli.tui.step",
    "textual.widgets._data_table",
    "textual.widgets._footer",
    "textual.widgets._header",
    "textual.widgets._markdown",
    "textual.widgets._text_area",
}


def test_the_first_screen_needs_neither_the_client_nor_what_other_screens_show(
    tmp_path: Path,
) -> None:
    with OnTerminal(
        cwd=tmp_path, engine="127.0.0.1:1", command=[sys.executable, "-c", _WITHOUT_CLIENT]
    ) as terminal:
        terminal.wait_for("(?s)Workflows.*127.0.0.1:1.*Connecting ….*Filter.*Quit")
        wait_until((tmp_path / "modules").exists, "the import of the client")
        modules = set(json.loads((tmp_path / "modules").read_text(encoding="utf-8")))
    assert "textual.app" in modules
    assert not _NOT_YET & modules
    commands = {module for module in modules if module.startswith("sched_cli.commands.")}
    assert commands == {"sched_cli.commands.tui"}
