"""A question: what exactly, and whether really."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from sched_cli.tui.browser.enduring import Enduring

__all__ = ["Answers", "Dialog", "Field"]

Answers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """Something to fill in."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    needed: bool = False


class Dialog(Enduring, ModalScreen[Answers | None]):
    """Ends with what was filled in, or None. What destroys starts on "No"."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > Vertical {
        width: 68; max-width: 95%; height: auto; max-height: 95%;
        background: $panel; border: round $primary; padding: 0 1;
    }
    Dialog.-destroys > Vertical { border: round $error; }
    Dialog #explanation { margin-bottom: 1; }
    Dialog Input { height: 1; border: none; background: $surface; padding: 0 1; margin-bottom: 1; }
    Dialog Input:focus { border: none; background: $background; }
    Dialog Label { color: $dim; }
    Dialog #problem { color: $error; height: auto; }
    Dialog Horizontal { height: 1; align-horizontal: right; margin-top: 0; }
    Dialog Button.-style-default {
        min-width: 12; margin-left: 2; background: $surface; color: $primary;
        text-style: bold;
    }
    Dialog Button.-style-default:focus {
        background: $primary; color: $background; text-style: bold;
    }
    Dialog.-destroys #do { color: $error; }
    Dialog.-destroys #do:focus { background: $error; color: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave"),
        Binding("left,right", "other_button", show=False),
        Binding("y", "yes", show=False),
        Binding("n", "leave", show=False),
    ]

    def __init__(
        self,
        title: str,
        explanation: str,
        *,
        do: str,
        fields: Sequence[Field] = (),
        destroys: bool = False,
        check: Callable[[Answers], str] | None = None,
    ) -> None:
        """`do` is the word on the button that does it. `check` says what is wrong
        with the answers, or nothing."""
        super().__init__(classes="-destroys" if destroys else "")
        self._title, self._explanation, self._do = title, explanation, do
        self._fields, self._check, self._destroys = fields, check, destroys

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self._title
            yield Static(self._explanation, id="explanation", markup=False)
            for field in self._fields:
                yield Label(field.label)
                yield Input(field.value, placeholder=field.hint, id=f"field-{field.name}")
            yield Static("", id="problem", markup=False)
            with Horizontal():
                yield Button(self._do, id="do", compact=True)
                yield Button("No" if self._destroys else "Leave", id="leave", compact=True)

    def on_mount(self) -> None:
        if self._fields:
            self.query(Input).first().focus()
        else:
            self.query_one("#leave" if self._destroys else "#do", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "do":
            self.action_yes()
        else:
            self.dismiss(None)

    def on_input_submitted(self) -> None:
        self.focus_next()
        if isinstance(self.focused, Button) and not self._destroys:
            self.action_yes()

    def action_other_button(self) -> None:
        if isinstance(self.focused, Button):
            self.query_one("#leave" if self.focused.id == "do" else "#do", Button).focus()

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_yes(self) -> None:
        answers = {f.name: self.query_one(f"#field-{f.name}", Input).value for f in self._fields}
        problem = self._problem(answers)
        if problem:
            self.query_one("#problem", Static).update(problem)
        else:
            self.dismiss(answers)

    def _problem(self, answers: Answers) -> str:
        for field in self._fields:
            if field.needed and not answers[field.name].strip():
                return f"{field.label}: there is nothing there yet."
        return self._check(answers) if self._check else ""
