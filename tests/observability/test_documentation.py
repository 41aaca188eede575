"""docs/observability.md names every metric that there is, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from sched_sdk import Client, Worker, WorkflowContext, workflow
from sched_sdk._worker.metrics import DEFINITIONS as OF_WORKERS
from sched_server import EngineServer
from sched_server.core.values import Status, TaskFailureCause
from sched_server.observability.definitions import DEFINITIONS as OF_ENGINES
from tests.docs.markdown import ROOT, table_below
from tests.observability.scraping import Scrape, scrape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client.core import Metric

PAGE = ROOT / "docs" / "observability.md"


@workflow
async def waits(ctx: WorkflowContext) -> None:
    await ctx.wait_for_signal("go")


def names(cell: str) -> list[str]:
    """The `code` in a cell."""
    return cell.split("`")[1::2]


@pytest.mark.parametrize(
    ("heading", "definitions"),
    [("Metrics of an engine", OF_ENGINES), ("Metrics of a worker", OF_WORKERS)],
)
def test_the_table_says_what_the_code_says(heading: str, definitions: Mapping[str, object]) -> None:
    told = [
        (names(name)[0], kind, tuple(names(labels)), meaning)
        for name, kind, labels, meaning in table_below(PAGE, heading)
    ]
    real = [(d.name, d.type, d.labels, d.help) for d in definitions.values()]  # type: ignore[attr-defined]
    assert told == real


def shape(metric: Metric) -> tuple[str, frozenset[str]]:
    """Its type, and the labels of its series."""
    labels = {name for sample in metric.samples for name in sample.labels}
    return metric.type, frozenset(labels - {"le"})


async def test_an_engine_exposes_what_is_in_the_table(engine: EngineServer, client: Client) -> None:
    await client.start_workflow(waits, task_queue="nobody")
    with pytest.raises(Exception, match="unheard"):
        await client.workflow("unheard").describe()
    engine.host.measures.commit_failures["unavailable"] += 1  # no store fails here
    async with Worker(client, workflows=[waits]) as worker:
        await worker.ready()
        seen = await scrape(engine.metrics_url)
    compare(seen, OF_ENGINES)


async def test_a_worker_exposes_what_is_in_the_table(client: Client) -> None:
    registry = CollectorRegistry()
    async with Worker(client, workflows=[waits], metrics=registry):
        compare(Scrape(generate_latest(registry).decode()), OF_WORKERS)


def compare(seen: Scrape, definitions: Mapping[str, object]) -> None:
    exposed = {
        name: shape(metric) for name, metric in seen.families.items() if name.startswith("sched_")
    }
    assert exposed == {
        d.name.removesuffix("_total"): (d.type, frozenset(d.labels))  # type: ignore[attr-defined]
        for d in definitions.values()
    }


async def test_the_values_of_labels(engine: EngineServer, client: Client) -> None:
    registry = CollectorRegistry()
    async with Worker(client, workflows=[waits], metrics=registry):
        of_worker = Scrape(generate_latest(registry).decode())
    seen = {**(await scrape(engine.metrics_url)).families, **of_worker.families}
    for label, metric, values in _told_values():
        if label in ("status", "cause", "outcome"):
            real = {sample.labels[label] for sample in seen[metric].samples}
            assert set(values) == real, metric
    assert len(Status) == 8
    assert len(TaskFailureCause) == 7


def _told_values() -> list[tuple[str, str, list[str]]]:
    """The rows of the two tables of values."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = []
    for begin in (i for i, line in enumerate(lines) if line == "| label | of | values |"):
        for line in lines[begin + 2 :]:
            if not line.startswith("|"):
                break
            label, of, values = line.strip("|").split("|")
            family = names(of)[0].removesuffix("_total")
            rows.append((names(label)[0], family, names(values)))
    assert len(rows) == 8
    return rows
