"""Parts of a screen that outlive an error in one of their handlers.

Textual ends the message loop of whatever raised, and then the app. Here an error
in a handler ends that handler, and an error in painting leaves the part blank;
the app hears of both. What is raised outside of these two (timers, workers, idle
callbacks) comes to the app by itself, and ends nothing there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message_pump import MessagePump
from textual.strip import Strip

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from textual.dom import DOMNode
    from textual.geometry import Region
    from textual.message import Message
    from textual.widget import Widget as Painted
    from textual.worker import Worker
else:
    # Textual takes the style of a class from its first base that is a widget: this
    # one must not be mistaken for it.
    Painted = MessagePump

__all__ = ["Enduring", "EnduringWidget", "begin_work"]


class Enduring(MessagePump):
    """For apps and screens: handlers may raise."""

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            self.app._handle_exception(error)


class EnduringWidget(Enduring, Painted):
    """For widgets: painting may raise, too."""

    def render_lines(self, crop: Region) -> list[Strip]:
        try:
            return super().render_lines(crop)
        except Exception as error:
            self.app._handle_exception(error)
            return [Strip.blank(crop.width)] * crop.height


def begin_work(
    node: DOMNode,
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    group: str = "default",
    exclusive: bool = False,
) -> Worker[None]:
    """Run `work` beside everything else. It is handed over uncalled: what ends before
    it began leaves no coroutine behind that nobody awaited."""
    worker: Worker[None] = node.run_worker(work, group=group, exclusive=exclusive)
    return worker
