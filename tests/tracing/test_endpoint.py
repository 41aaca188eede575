"""Where spans go: what is taken as an endpoint, one that is away, and none."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sched_server import EngineServer, EngineSettings, EngineStartError
from sched_server.observability.otlp import SpanSender
from sched_server.observability.otlp_endpoint import OtlpEndpoint, TracingError, parse_endpoint
from tests.cli.support import Running, clean_environment, sched, sched_in_process
from tests.crash.processes import free_port
from tests.tracing.receiver import GrpcReceiver
from tests.worker.waiting import until

APP = """
from sched_sdk import WorkflowContext, activity, workflow

@activity
async def greet(name: str) -> str:
    return f"Hello, {name}!"

@workflow(name="Hello")
async def hello(ctx: WorkflowContext, name: str) -> str:
    return await ctx.queue_activity(greet, name)
"""


@pytest.mark.parametrize(
    ("text", "url", "http"),
    [
        ("http://collector:4317", "http://collector:4317", False),
        ("http://collector", "http://collector:4317", False),
        ("https://collector:443/", "https://collector:443", False),
        ("http://[::1]:4317", "http://[::1]:4317", False),
        ("http://collector:4318", "http://collector:4318/v1/traces", True),
        ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces", True),
        ("https://otlp.example/in/v1/traces", "https://otlp.example/in/v1/traces", True),
    ],
)
def test_endpoints(text: str, url: str, http: bool) -> None:
    assert parse_endpoint(text) == OtlpEndpoint(url, http)


WRONG = [
    ("collector:4317", "does not begin with http:// or https://"),
    ("grpc://collector:4317", "does not begin with http:// or https://"),
    ("http://", "names no host"),
    ("http://collector:0", "0 is no port"),
    ("http://collector:99999", "Port out of range"),
    ("http://collector:4318/v1/traces?key=1", "more than a path"),
    ("http://user:secret@collector:4317", "OTEL_EXPORTER_OTLP_HEADERS"),
]


@pytest.mark.parametrize(("text", "why"), WRONG)
def test_what_is_no_endpoint(text: str, why: str) -> None:
    with pytest.raises(TracingError, match=why) as caught:
        parse_endpoint(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "command",
    [
        ("engine", "--postgres-dsn", "postgresql://nobody@localhost/none"),
        ("dev", "--db", ":memory:"),
        ("dev", "--ha"),
        ("worker", "app.py"),
        ("worker", "app.py", "--reload"),
    ],
)
def test_commands_refuse_what_is_no_endpoint(command: tuple[str, ...]) -> None:
    environment = {"SCHED_OTLP_ENDPOINT": "localhost:4317"}
    refused = sched_in_process(*command, environment=environment)
    assert refused.returncode == 2, refused.stderr
    told = " ".join(refused.stderr.split())
    assert "'localhost:4317' is no OTLP endpoint" in told
    assert "http://localhost:4317 (gRPC)" in told


async def test_an_embedded_engine_refuses_it_too() -> None:
    engine = EngineServer(EngineSettings(db=":memory:", port=0, otlp_endpoint="nowhere"))
    with pytest.raises(EngineStartError, match="no OTLP endpoint"):
        await engine.start()


@pytest.mark.parametrize("command", ["dev", "worker"])
def test_without_the_extra(command: str, tmp_path: Path) -> None:
    """None in `sys.modules` is how Python notes that a module is not there."""
    program = (
        "import sys\n"
        "sys.modules['opentelemetry.sdk'] = None\n"
        "from sched_cli.main import run\n"
        f"run([{command!r}, 'app.py', '--otlp-endpoint', 'http://localhost:4317'])\n"
    )
    (tmp_path / "app.py").write_text(APP)
    refused = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert refused.returncode == 2, refused.stderr
    assert 'pip install "sched-engine[otel]"' in " ".join(refused.stderr.split())


# -- a receiver that is away -----------------------------------------------------------


def ours(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What people see. pytest also catches what loggers keep to themselves."""
    return [record for record in caplog.records if record.name == "sched.tracing"]


async def test_one_warning_while_it_is_away_and_a_line_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    caplog.set_level(logging.INFO)
    port = free_port()
    sender = SpanSender(f"http://127.0.0.1:{port}", "sched-worker")
    tracer = sender.provider().get_tracer("app")

    def said(text: str) -> int:
        tracer.start_span("one").end()
        return sum(text in record.getMessage() for record in ours(caplog))

    await until(lambda: said("cannot be sent"))
    for _ in range(3):
        tracer.start_span("one").end()
        sender.processor.force_flush()
    receiver = GrpcReceiver(port)
    await until(lambda: said("again"))
    await sender.close()
    receiver.close()
    assert receiver.spans
    warning, back = ours(caplog)
    assert warning.levelname == "WARNING"
    assert f"cannot be sent to http://127.0.0.1:{port} and are dropped" in warning.getMessage()
    assert "UNAVAILABLE" in warning.getMessage()
    assert back.levelname == "INFO"


async def test_more_spans_than_the_receiver_takes(
    receiver: GrpcReceiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    sender = SpanSender(receiver.url, "sched-worker")
    tracer = sender.provider().get_tracer("app")
    for _ in range(2_000):
        tracer.start_span("one").end()
    await sender.close()
    assert [record.getMessage() for record in ours(caplog)] == [
        f"spans come faster than {receiver.url} takes them; some are dropped"
    ]


async def test_a_stop_sends_what_is_left(
    receiver: GrpcReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    sender = SpanSender(receiver.url, "sched-worker")
    sender.provider().get_tracer("app").start_span("one").end()
    await sender.close()
    assert [span.name for span in receiver.spans] == ["one"]


def test_people_see_one_warning_of_each_process_and_a_quick_end(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    environment = {
        "SCHED_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.3",
    }
    options = ("app.py", "--db", ":memory:", "--port", "0")
    with Running("dev", *options, cwd=tmp_path, environment=environment) as dev:
        address = dev.wait_for(r"engine\s+(127\.0\.0\.1:\d+)").group(1)
        dev.wait_for(r"spans\s+to http://127\.0\.0\.1:\d+\n")
        dev.wait_for("serves workflow")
        for _ in range(2):
            started = ("start", "Hello", "--input", "world", "--wait", "--engine", address)
            assert sched("workflow", *started).returncode == 0
        dev.wait_for(r"(?s)sched\.tracing.*sched\.tracing")
        dev.interrupt_like_a_terminal()
    assert dev.output.count("sched.tracing") == 2, dev.output
    assert "Traceback" not in dev.output
    assert dev.process.returncode in (0, -signal.SIGINT)


# -- no endpoint -----------------------------------------------------------------------

OFF = """
import asyncio, sys
from sched_sdk import Client, Worker
from sched_server import EngineServer, EngineSettings
from app import greet, hello

async def main():
    engine = EngineServer(EngineSettings(db=":memory:", port=0))
    await engine.start()
    async with await Client.connect(engine.address) as client:
        async with Worker(client, workflows=[hello], activities=[greet]):
            print(await client.execute_workflow(hello, "world"))
    await engine.stop(0)

asyncio.run(main())
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_nothing_is_loaded_when_it_is_off(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "off.py").write_text(OFF)
    done = subprocess.run(
        [sys.executable, "off.py"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.splitlines() == ["Hello, world!", "[]"], done.stderr
