"""A value as a tree that can be opened and closed, with JSON's colours.

Nothing is made before it is opened, and of a long list only the first part, so
that a payload of megabytes opens at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import Tree

from sched_cli.render.plain import dumps, jsonable
from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.widgets.common.painting import palette_for

if TYPE_CHECKING:
    from textual.widgets.tree import TreeNode

_PART = 200
_LINES = 16
_LINE = 2_000


class JsonTree(EnduringWidget, Tree[Any], inherit_bindings=False):
    """Shows one value, or several under names. Left and right are left to the screen,
    also where a line is longer than the tree is wide."""

    DEFAULT_CSS = """
    JsonTree { height: 1fr; background: $background; scrollbar-size-vertical: 1; padding-left: 1; }
    JsonTree:focus { background-tint: $background 0%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy_part", "Copy value", show=False),
        Binding("Y", "copy_all", "Copy all", show=False),
        Binding("up,k", "cursor_up", "Up", show=False),
        Binding("down,j", "cursor_down", "Down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown", "page_down", "Page down", show=False),
        Binding("home,g", "scroll_home", "First", show=False),
        Binding("end,G", "scroll_end", "Last", show=False),
        Binding("shift+left", "scroll_left", "To the left", show=False),
        Binding("shift+right", "scroll_right", "To the right", show=False),
        Binding("enter", "select_cursor", "Open", show=False),
        Binding("space", "toggle_node", "Open", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - textual's name
        super().__init__("", id=id)
        self.show_root = False
        self.guide_depth = 2
        self._value: Any = None

    def show(self, value: Mapping[str, Any]) -> None:
        """Show these, opened as deep as has room on a small screen, and one level deep at
        least. The same value again changes nothing."""
        plain = jsonable(value)
        if plain == self._value:
            return
        self._value = plain
        self.clear()
        self.root.data = plain
        self._fill(self.root)
        self.root.expand()
        self._open_levels()

    def _open_levels(self) -> None:
        nodes, lines, level = list(self.root.children), len(self.root.children), 0
        while nodes:
            nodes = [node for node in nodes if node.allow_expand]
            lines += sum(min(len(node.data or ()), _PART) for node in nodes)
            if level and lines > _LINES:
                return
            for node in nodes:
                self._fill(node)
                node.expand()
            nodes, level = [child for node in nodes for child in node.children], level + 1

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Any]) -> None:
        self._fill(event.node)

    def _fill(self, node: TreeNode[Any], begin: int = 0) -> None:
        if node.children and not begin:
            return
        value: Any = node.data
        if isinstance(value, _Rest):
            return
        items: list[tuple[str, Any]] = (
            [(str(key), item) for key, item in value.items()]
            if isinstance(value, Mapping)
            else [(str(position), item) for position, item in enumerate(value)]
        )
        for key, item in items[begin : begin + _PART]:
            self._add(node, key, item, of_list=isinstance(value, list))
        more = len(items) - begin - _PART
        if more > 0:
            node.add_leaf(self._note(f"… {more} more: Enter"), _Rest(begin + _PART))

    def on_tree_node_selected(self, event: Tree.NodeSelected[Any]) -> None:
        rest, parent = event.node.data, event.node.parent
        if isinstance(rest, _Rest) and parent is not None:
            event.node.remove()
            self._fill(parent, rest.begin)

    def _add(self, node: TreeNode[Any], key: str, value: Any, *, of_list: bool) -> None:
        palette = palette_for(self)
        label = Text(no_wrap=True)
        label.append(f"{key}: ", palette.dim if of_list else palette.run)
        if isinstance(value, Mapping | list) and value:
            brackets, noun = ("{}", "field") if isinstance(value, Mapping) else ("[]", "item")
            count = f"{len(value)} {noun}{'' if len(value) == 1 else 's'}"
            label.append(f"{brackets[0]}{count}{brackets[1]}", palette.dim)
            node.add(label, value)
        else:
            label.append(*_scalar(value, palette))
            node.add_leaf(label, value)

    def _note(self, text: str) -> Text:
        return Text(text, palette_for(self).dim)

    def action_copy_part(self) -> None:
        node = self.cursor_node
        value = self._value if node is None or isinstance(node.data, _Rest) else node.data
        self._copy(value)

    def action_copy_all(self) -> None:
        self._copy(self._value)

    def _copy(self, value: Any) -> None:
        text = value if isinstance(value, str) else dumps(value, pretty=True)
        self.app.copy_to_clipboard(text)
        self.notify(f"Copied {len(text)} characters.")


class _Rest:
    """Stands for the items that were not added yet."""

    def __init__(self, begin: int) -> None:
        self.begin = begin


def _scalar(value: Any, palette: Any) -> tuple[str, str]:
    if isinstance(value, str):
        text = dumps(value, pretty=False)
        return (text if len(text) <= _LINE else f"{text[:_LINE]}…"), palette.good
    if value is None or isinstance(value, bool):
        return dumps(value, pretty=False), palette.accent
    if isinstance(value, int | float):
        return dumps(value, pretty=False), palette.warn
    return dumps(value, pretty=False), palette.dim
