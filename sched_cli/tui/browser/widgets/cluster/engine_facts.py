"""Leader, standbys, store and queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.widgets import Static

from sched_cli.render.cluster import cluster_lines
from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.widgets.common.painting import now_of, palette_for, recoloured

if TYPE_CHECKING:
    from sched_sdk._client.models import ClusterStatus


class EngineFacts(EnduringWidget, Static):
    """The lines of `sched cluster status`."""

    DEFAULT_CSS = "EngineFacts { height: auto; padding: 0 1; background: $surface; }"

    def show(self, status: ClusterStatus) -> None:
        """What the engine says of itself and of the cluster."""
        lines = list(cluster_lines(status, now_of(self)))
        self.update(recoloured(Text("\n").join(lines), palette_for(self)))
