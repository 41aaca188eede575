"""What is wrong with the connection, while it is."""

from __future__ import annotations

from textual.widgets import Static

from sched_cli.tui.browser.enduring import EnduringWidget


class Banner(EnduringWidget, Static):
    """Hidden while the engine answers."""

    DEFAULT_CSS = """
    Banner {
        height: auto; max-height: 3; padding: 0 1; display: none;
        background: $banner; color: $foreground;
    }
    Banner.-shown { display: block; }
    """

    def show(self, text: str) -> None:
        """Say what is wrong; nothing to say hides it."""
        self.set_class(bool(text), "-shown")
        self.update(text)
