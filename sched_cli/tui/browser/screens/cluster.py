"""Workers and cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget

from sched_cli.tui.browser.model.rates import Rates
from sched_cli.tui.browser.screens.base import BrowserScreen
from sched_cli.tui.browser.widgets.cluster.engine_facts import EngineFacts
from sched_cli.tui.browser.widgets.cluster.rates_chart import RatesChart
from sched_cli.tui.browser.widgets.cluster.tables import QueueTable, WorkerTable
from sched_cli.tui.browser.widgets.common.line_list import Titles

if TYPE_CHECKING:
    from sched_cli.tui.browser.screens.help import KeyHelp

_EVERY_S = 1.0


class ClusterScreen(BrowserScreen):
    """Engines, rates, task queues, workers."""

    keys: ClassVar[Sequence[KeyHelp]] = [("Cluster", (("tab", "between queues and workers"),))]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.switch_mode('workflows')", "Workflows", key_display="esc"),
        Binding("tab", "app.focus_next", "Queues, workers"),
    ]
    DEFAULT_CSS = """
    ClusterScreen #queue-part { height: auto; max-height: 20%; margin-top: 1; padding: 0 1; }
    ClusterScreen #worker-part { height: 1fr; margin-top: 1; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__("Cluster")
        self.rates = Rates()

    def body(self) -> Iterable[Widget]:
        queues, workers = QueueTable(), WorkerTable()
        yield EngineFacts("")
        yield RatesChart(self.rates)
        yield Vertical(Titles(queues), queues, id="queue-part")
        yield Vertical(Titles(workers), workers, id="worker-part")

    def on_mount(self) -> None:
        self.query_one(WorkerTable).focus()
        self.in_rounds(self._read, _EVERY_S)

    async def _read(self) -> None:
        status = await self.link.ask(lambda client: client.cluster_status())
        count = await self.link.ask(lambda client: client.count_workflows())
        self.rates.take(self.browser.now(), status, count)
        self.query_one(EngineFacts).show(status)
        self.query_one(RatesChart).refresh()
        self.query_one(QueueTable).show(status.task_queues)
        self.query_one(WorkerTable).show(status.workers)
