"""A replay in a process of its own, looked at from this one.

The browser shows the step view this way: what the code prints, how it ends, and
what it imports are none of the browser's. Frames on two pipes, each a length and
a pickle:

    here ──Opening, then Move after Move──▶ sched_cli.step_process
    here ◀──────────View or Problem──────── for each of them

What the process writes to its own output is kept for the case that it dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from sched_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_cli.step_moves import Move
    from sched_sdk._capture import CapturedHistory
    from sched_sdk._stepping import Stepper, View

__all__ = ["ProcessJourney"]

_LENGTH = struct.Struct(">Q")
_LAST_WORDS = 2_000


@dataclass(frozen=True, slots=True)
class Opening:
    """What the process begins with."""

    app: tuple[str, ...]
    captured: CapturedHistory
    event_id: int | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no view."""

    message: str


class ProcessJourney:
    """See `sched_cli.step_moves.Journey`. The process starts with the first move."""

    def __init__(self, app: Sequence[str], captured: CapturedHistory, event_id: int | None) -> None:
        """`app` as for `sched replay --app`; begins at `event_id`, or at the first event."""
        self._opening = Opening(tuple(app), captured, event_id)
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # for as long as the process
        self._closed = False

    @property
    def last_event_id(self) -> int:
        return len(self._opening.captured.events)

    async def go(self, move: Move) -> View:
        # In a thread: starting a process and waiting for it must not stop the screen.
        answer = await asyncio.to_thread(self._ask, move)
        if isinstance(answer, Problem):
            raise UsageError(answer.message)
        return answer

    def close(self) -> None:
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # what nobody read
                        pipe.close()
        self._said.close()

    def _ask(self, move: Move) -> View | Problem:
        try:
            process = self._process or self._start()
            assert process.stdin is not None
            assert process.stdout is not None
            _send(process.stdin, move)
            answer = _receive(process.stdout)
        except OSError as error:
            return Problem(f"There is no process for the code: {error}")
        if answer is None:
            return Problem(self._why_it_ended(process))
        assert not isinstance(answer, Opening)
        return cast("View | Problem", answer)

    def _start(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise OSError("nobody looks any more")
        command = [sys.executable, "-P", "-c", f"from {__name__} import main; main()"]
        process = self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said
        )
        assert process.stdin is not None
        _send(process.stdin, self._opening)
        return process

    def _why_it_ended(self, process: subprocess.Popen[bytes]) -> str:
        code = process.wait()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - _LAST_WORDS))
        lines = self._said.read().decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"The process that runs the code {how}{f': {said}' if said else '.'}"


def _send(pipe: IO[bytes], message: object) -> None:
    content = pickle.dumps(message)
    pipe.write(_LENGTH.pack(len(content)) + content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> object:
    """None when there is nobody at the other end any more."""
    length = pipe.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    content = pipe.read(_LENGTH.unpack(length)[0])
    return pickle.loads(content)  # noqa: S301  # both ends are ours


def main() -> None:
    """The process."""
    asked, answers = _take_pipes()
    opening = _receive(asked)
    assert isinstance(opening, Opening)
    stepper: Stepper | None = None
    while (move := _receive(asked)) is not None:
        from sched_cli.step_moves import Move, travel

        assert isinstance(move, Move)
        answer: View | Problem
        try:
            stepper = stepper or _open(opening)
            answer = travel(stepper, move)
        except Exception as error:
            answer = Problem(_in_words(error))
        _send(answers, answer)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes are ours alone: the code reads nothing, and writes to stderr."""
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return asked, answers


def _open(opening: Opening) -> Stepper:
    from sched_cli.replaying import definition_for, definitions_of, load_chosen_app
    from sched_sdk._stepping import Stepper
    from sched_sdk.errors import SchedError

    loaded = load_chosen_app(opening.app)
    definition = definition_for(opening.captured, definitions_of(loaded))
    try:
        stepper = Stepper(definition, opening.captured.events)
    except SchedError as error:
        raise UsageError(f"{opening.captured.workflow_id} cannot be replayed: {error}") from error
    if opening.event_id is not None:
        stepper.to(opening.event_id)
    return stepper


def _in_words(error: Exception) -> str:
    from sched_cli.errors import explain

    explained = explain(error)
    if explained is not None:
        return str(explained)
    return f"sched itself failed: {type(error).__name__}: {error}. Please report it."


if __name__ == "__main__":
    main()
