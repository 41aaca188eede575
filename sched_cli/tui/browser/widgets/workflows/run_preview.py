"""Why the run under the cursor is where it is."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text
from textual.widgets import Static

from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.model.run_list import key_of
from sched_cli.tui.browser.widgets.common.painting import joined, now_of, palette_for

if TYPE_CHECKING:
    from sched_sdk._client.models import WorkflowDescription, WorkflowInfo


class RunPreview(EnduringWidget, Static):
    """The first reason, and a line of what else there is to know."""

    DEFAULT_CSS = "RunPreview { height: 3; padding: 0 1; background: $surface; }"

    def __init__(self) -> None:
        super().__init__("")
        self._shown: tuple[str, str] | None = None

    def show(self, description: WorkflowDescription) -> None:
        """What the engine says of it."""
        from sched_cli.render.why import reasons  # nothing is known before the first paint

        palette, now = palette_for(self), now_of(self)
        self._shown = key_of(description.info)
        found = reasons(description, now)
        width = max(self.size.width, 20)
        sentence = "\n".join(textwrap.wrap(found[0].sentence, width, max_lines=2, placeholder=" …"))
        text = Text(sentence, palette.warn if found[0].stuck else palette.text)
        more = len(found) - 1
        facts = [f"and {more} more {'reason' if more == 1 else 'reasons'}"] if more else []
        facts += [f"queue {description.info.task_queue}", f"run {description.info.run_id}"]
        pending = len(description.activities)
        facts += [f"{pending} activities pending"] if pending > 1 else []
        text.append("\n" + joined(facts, width), palette.dim)
        self.update(text, layout=False)

    def show_other(self, run: WorkflowInfo | None) -> None:
        """The cursor moved: what was said is no longer true."""
        if run is None or self._shown != key_of(run):
            self._shown = None
            self.update("", layout=False)
