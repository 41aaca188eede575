"""The worker beside the engine, or the engines, of a dev server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sched_cli.access import Serving

if TYPE_CHECKING:
    from sched_cli.reload.on_break import ReloadCheck
    from sched_cli.reload.supervisor import Supervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class DevWorker:
    """What `sched dev` was asked to serve, in a child that follows its edits."""

    targets: tuple[str, ...]
    """Empty: nothing, and there is no worker."""
    task_queue: str
    grace_s: float
    reload_check: ReloadCheck
    otlp_endpoint: str = ""
    """Empty: no spans."""
    check_determinism: bool = True
    serving: Serving = field(default_factory=Serving)
    """How the engine lets it in."""

    def check(self) -> None:
        """Raises UsageError for a wrong name, before anything starts."""
        if self.targets:
            from sched_cli.targets import find_targets

            find_targets(self.targets)

    def start(self, engine: str, *, engine_option: str) -> Supervisor | None:
        """Serve with the engine at this address, or these. `engine_option` is what
        people add to a command for it to find the engine."""
        if not self.targets:
            return None
        self.serving.lend(engine)
        from sched_cli.reload.protocol import WorkerOptions
        from sched_cli.reload.supervisor import Supervisor
        from sched_cli.render.worker_news import WorkerNews

        options = WorkerOptions(
            self.targets,
            engine,
            self.task_queue,
            self.grace_s,
            otlp_endpoint=self.otlp_endpoint,
            check_determinism=self.check_determinism,
        )
        next_step = f"sched workflow start {{name}} --input VALUE --wait{engine_option}"
        supervisor = Supervisor(options, WorkerNews(next_step=next_step), check=self.reload_check)
        supervisor.start()
        return supervisor
