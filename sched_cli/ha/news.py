"""What `sched dev --ha` tells people of its engines, in lines on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.render.console import labelled

if TYPE_CHECKING:
    from sched_cli.ha.engines import Engine


class EngineNews:
    """An announcer (see `sched_cli.ha.engines`) that prints."""

    def leads(self, engine: Engine, *, epoch: int, after_s: float | None) -> None:
        """This one leads now."""
        took = "" if after_s is None else f" after {after_s:.2f} s"
        labelled(
            "leader",
            f"{_name(engine)} leads{took}, epoch {epoch}; "
            f"kill -9 {engine.pid} to see the other take over",
            "green",
        )

    def stands_by(self, engine: Engine) -> None:
        """This one waits for the other to end."""
        labelled("standby", f"{_name(engine)} stands by", "cyan")

    def ended(self, engine: Engine, how: str, *, restart_in_s: float) -> None:
        """Its process is gone."""
        labelled("engine", f"{_name(engine)} {how}; starts again in {restart_in_s:g} s", "red")

    def cannot_start(self, engine: Engine, why: str) -> None:
        """Tried again after a moment."""
        labelled("error", f"{engine.address} cannot serve: {why}\nIt is tried again.", "red")


def _name(engine: Engine) -> str:
    return f"{engine.address} (pid {engine.pid})"
