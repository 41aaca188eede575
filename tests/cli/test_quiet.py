"""`--quiet`, of programs that serve: nothing but what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.support import Running, sched_in_process, wait_until
from tests.queue.redis_server import free_port

if TYPE_CHECKING:
    from pathlib import Path

APP = """
from sched_sdk import WorkflowContext, workflow

@workflow(name="Quick")
async def quick(ctx: WorkflowContext) -> str:
    return "done"
"""


def test_a_quiet_dev_server_says_only_what_goes_wrong(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(APP)
    port = str(free_port())
    serving = ("app.py", "--db", ":memory:", "--port", port, "--metrics-port", "0")
    with Running("dev", *serving, "--quiet", cwd=tmp_path) as dev:
        there = {"SCHED_ENGINE_ADDRESS": f"127.0.0.1:{port}"}
        start = ("workflow", "start", "Quick", "--wait", "--quiet")
        wait_until(
            lambda: sched_in_process("workflow", "count", environment=there).returncode == 0,
            "the engine serves",
        )
        done = sched_in_process(*start, environment=there)
        assert (done.stdout, done.stderr, dev.output) == ("done\n", "", "")
        app.write_text(APP + "(\n")
        dev.wait_for(r"^error +app\.py:\d+: SyntaxError")
    assert dev.process.returncode == 0
