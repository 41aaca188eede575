"""The guide, run page by page. A workflow that a page does not start itself is
started here."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from sched_sdk import Client, Worker, WorkflowFailedError
from sched_server import EngineServer, EngineSettings
from tests.cli.support import pytest_in, sched
from tests.docs.markdown import ROOT, blocks_of, titled
from tests.docs.running import GUIDE, declared, module_of, running
from tests.docs.waiting import failure_of, is_stuck, only_activity, runs, task_of, until, until_true
from tests.security import certificates


async def test_the_overview() -> None:
    async with running("docs/guide.md"):
        pass


async def test_workflows() -> None:
    async with running("workflows") as page:
        hire = await page.client.start_workflow(page.hire, "ann")
        description = await until(hire, lambda d: d.activities and d.activities[0].last_failure)
        assert only_activity(description).maximum_attempts == 5
        assert description.status == "RUNNING"  # draining: the function has returned
        unfit = {"customer": "ACME", "due": "soon", "total": "1"}
        with pytest.raises(WorkflowFailedError, match=r"\$\.due: invalid RFC3339 encoded date"):
            await page.client.execute_workflow("bill", unfit)


async def test_activities() -> None:
    async with running("activities") as page:
        client = page.client
        assert await client.execute_workflow(page.checkout, 4900) == "charge 4900"

        release = await client.start_workflow(page.release, "contract")
        await until_true(lambda: page.tokens)
        elsewhere = {"Client": Client}
        exec(titled(page.path, "elsewhere").text, elsewhere)
        approved: Any = elsewhere["approved"]
        await approved(client, page.tokens[0])
        assert await release.result(timeout=60) == "approved by ann"

        watching = await client.start_workflow(page.watching)
        await until(watching, runs)
        await watching.signal("enough")
        assert await watching.result(timeout=60) == "the door until the workflow asked for it"


async def test_signals_and_timers() -> None:
    async with running("signals-and-timers"):
        pass


async def test_queries() -> None:
    async with running("queries"):
        pass


async def test_errors_and_retries() -> None:
    async with running("errors-and-retries"):
        pass


async def test_cancellation() -> None:
    async with running("cancellation") as page:
        go_on = threading.Event()
        vars(page.module)["time"] = SimpleNamespace(sleep=lambda _: go_on.wait(10))
        handle = await page.client.start_workflow(page.two_bookings)
        await until(handle, runs)
        await handle.cancel()
        await until(handle, lambda d: only_activity(d).cancel_requested)
        go_on.set()
        assert await handle.result(timeout=60) == ["hotel booked"]


async def test_determinism() -> None:
    async with running("determinism") as page:
        assert await page.client.execute_workflow(page.packing, "a") == "a packed"
        assert await page.client.execute_workflow(page.packing_2, "b") == "b packed"


@pytest.mark.parametrize(
    ("title", "edit"),
    [
        ("nothing there", None),
        ("something else", ('await ctx.wait_for_signal("packed")', "pass")),
    ],
)
async def test_what_a_divergence_says(
    client: Client, title: str, edit: tuple[str, str] | None
) -> None:
    page = GUIDE / "determinism.md"
    before = module_of(titled(page, "before"))
    after = module_of(titled(page, "after"), edit)
    async with _worker_of(client, before):
        order = await client.start_workflow("Order", "4711")
        await until(order, lambda d: d.info.history_length > 3 and not d.workflow_task)
    async with _worker_of(client, after):
        await order.signal("packed")
        task = task_of(description := await until(order, is_stuck))
    assert task.last_failure_cause == "NON_DETERMINISM"
    assert task.last_failure is not None
    assert task.last_failure.message == titled(page, title).text.strip()
    assert description.status == "RUNNING"
    async with _worker_of(client, before):  # put the code back, and it goes on
        assert await order.result(timeout=60) == "shipped"
    types = [event.type async for event in order.history()]
    assert types.count("WorkflowTaskFailed") == 1
    assert types.count("ActivityScheduled") == 2


async def test_replay(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = GUIDE / "replay.md"
    monkeypatch.chdir(tmp_path)
    source = titled(page, "recorded").text
    recorded = ModuleType("recorded")
    exec(compile(source, str(tmp_path / "app.py"), "exec"), vars(recorded))
    async with _worker_of(client, recorded):
        handle = await client.start_workflow("Order", "A-1", id="order-1")
        await handle.result(timeout=60)
    pause, ship = (line + "\n" for line in source.splitlines()[16:18])
    (tmp_path / "app.py").write_text(source.replace(pause + ship, ship + pause))
    address = {"SCHED_ENGINE_ADDRESS": client.addresses[0], "COLUMNS": "80"}
    done = await asyncio.to_thread(sched, "replay", "order-1", cwd=tmp_path, environment=address)
    shown = [line.rstrip() for line in done.stdout.strip().splitlines()]
    assert (done.returncode, ["$ sched replay order-1", *shown]) == (
        1,
        titled(page, "report").text.strip().splitlines(),
    ), done.stdout
    captured = ("capture", "order-1", "-o", "histories/order-1.json")
    (tmp_path / "histories").mkdir()
    done = await asyncio.to_thread(sched, *captured, cwd=tmp_path, environment=address)
    assert done.returncode == 0, done.stderr
    for name in ("pyproject.toml", "test_order.py"):
        (tmp_path / name).write_text(titled(page, name).text)
    tested = await asyncio.to_thread(pytest_in, tmp_path)
    assert tested.returncode == 1
    assert "3 failed in " in tested.stdout
    for line in titled(page, "pytest").text.split("\n"):
        assert line.strip("_") in tested.stdout, tested.stdout
    (tmp_path / "app.py").write_text(source)
    tested = await asyncio.to_thread(pytest_in, tmp_path)
    assert tested.returncode == 0
    assert "3 passed in " in tested.stdout


def _worker_of(client: Client, module: Any) -> Worker:
    values = list(vars(module).values())
    return Worker(
        client, workflows=declared(values, "workflow"), activities=declared(values, "activity")
    )


async def test_checking() -> None:
    async with running("checking") as page:
        await page.client.execute_workflow(page.measured)


async def test_workers_and_reload() -> None:
    async with running("workers-and-reload") as page:
        main = asyncio.create_task(page.main())
        async with asyncio.timeout(10):
            while len((await page.client.cluster_status()).workers) < 2:
                pass
        main.cancel()
        await asyncio.wait([main])
        assert main.cancelled()


async def test_client() -> None:
    async with running("client") as page:
        assert await asyncio.to_thread(page.count_running, page.engine.address) == 1
        missing = await page.client.start_workflow("Unknown", id="unknown")
        await missing.terminate("nobody serves it")
        assert (await failure_of(missing)).status == "TERMINATED"


async def test_limits() -> None:
    async with running("limits") as page:
        assert vars(page.module)["engine"].settings.limits.pending_activities == 5_000


async def test_security(tmp_path: Path) -> None:
    (block,) = [one for one in blocks_of(GUIDE / "security.md") if one.language == "python"]
    certs, tokens = certificates.make(tmp_path), tmp_path / "tokens"
    tokens.write_text("0123456789abcdef\n")
    settings = EngineSettings(
        db=":memory:",
        port=0,
        tls_cert=certs.engine.cert,
        tls_key=certs.engine.key,
        token_file=str(tokens),
    )
    server = EngineServer(settings)
    await server.start()
    try:
        text = block.text.replace("engine.example:50051", server.address)
        page: dict[str, Any] = {}
        exec(text.replace("ca.pem", certs.ca), page)
        assert await page["count_open"]("0123456789abcdef") == 0
    finally:
        await server.stop(0)


def test_tui() -> None:
    assert "```python" not in (GUIDE / "tui.md").read_text(), "then it is to be run here"


def test_command_line() -> None:
    assert "```python" not in (GUIDE / "command-line.md").read_text(), "then it is to be run here"


def test_every_page_is_run() -> None:
    tested = {name.removeprefix("test_").replace("_", "-") for name in globals()}
    assert {path.stem for path in GUIDE.glob("*.md")} <= tested
    assert (ROOT / "docs" / "guide.md").is_file()
