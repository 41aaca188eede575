"""Telling when the app's code was edited."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sched_cli.reload.sources import Sources
from sched_cli.targets import code_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Edits that follow each other this closely are one: a save of all files, a
# change of branch, a formatter.
_QUIET_MS = 60
_LONGEST_WAIT_MS = 600
# How often the watching thread comes up for air when nothing happens; also how
# long an edit that comes before the system watches may go unseen.
_TICK_MS = 250


class EditWatcher:
    """Watches the app's Python files from a thread of its own.

    `on_edit` gets the files that changed, once for each burst of edits, and
    `on_problem` a message if the system cannot watch; both are called in the
    event loop. What counts as unedited is the code at the time of construction.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        *,
        on_edit: Callable[[list[Path]], None],
        on_problem: Callable[[str], None],
    ) -> None:
        self._sources = Sources(roots)
        self._on_edit = on_edit
        self._on_problem = on_problem
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._watch, name="edit-watcher", daemon=True).start()

    def stop(self) -> None:
        """Watch no longer; the thread ends by itself."""
        self._stop.set()

    def _watch(self) -> None:
        try:
            while not self._stop.is_set():
                folders = self._folders()
                try:
                    if folders:
                        self._watch_folders(folders)
                except FileNotFoundError:
                    folders = []  # one went in between; look again
                if not folders:
                    self._stop.wait(_TICK_MS / 1000)
        except OSError as error:
            roots = ", ".join(map(str, self._sources.roots))
            message = (
                f"The system cannot watch {roots} for edits ({error}). "
                f"Set WATCHFILES_FORCE_POLLING=1 to look at the files instead."
            )
            self._tell(functools.partial(self._on_problem, message))

    def _folders(self) -> list[Path]:
        return [folder for root in self._sources.roots for folder in code_folders(root)]

    def _watch_folders(self, folders: list[Path]) -> None:
        """Watch these until folders come or go.

        Each on its own, not recursively: what the engine writes to .sched, and
        the thousands of folders of an environment, are none of our business.
        """
        from watchfiles import watch

        known = set(folders)
        first = True
        for burst in watch(
            *folders,
            recursive=False,
            watch_filter=None,
            stop_event=self._stop,
            step=_QUIET_MS,
            debounce=_LONGEST_WAIT_MS,
            rust_timeout=_TICK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            touched = [Path(path) for _, path in burst]
            # The first burst, empty or not, says that the system watches by now;
            # an edit may have come before that.
            edited = self._sources.changed_anywhere() if first else self._sources.changed(touched)
            first = False
            if edited:
                self._tell(functools.partial(self._on_edit, edited))
            if any(path in known or path.is_dir() for path in touched) and (
                known != set(self._folders())
            ):
                return

    def _tell(self, call: Callable[[], None]) -> None:
        # The loop may be closed by the time the thread has something to say.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)
