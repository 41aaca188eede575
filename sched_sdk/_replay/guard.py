"""Calls out of workflow code to the world outside are refused where they are made.

    unsteady values    clocks, random numbers, ids: the functions of `time`,
                       `random`, `uuid`, `secrets` and `os.urandom` are replaced by
                       objects that look who calls
    actions            files, sockets, processes, threads, `time.sleep`: Python
                       announces them to audit hooks, whoever calls
                       (before 3.13 not threads and sleeps, which are wrapped)

A thread runs workflow code while its running loop is a replay loop that is
`guarded`; that look-up is all that other code pays. Only then are the frames
looked at. How far a refusal reaches depends on the call:

    OWN      the app's own code makes the call
    NEAREST  the app's own code, or Python's library for it (`Path.read_text`)
    ANYBODY  installed libraries too, since none can work: a socket, a process

Whatever happens below an import, a logger, a warning, a traceback or a debugger
is let pass (see `origins`), and so is what a comment `# sched: ignore` is about.

A refusal raises, and is remembered by the loop: code that swallows the error
does not get away with it. Guarding begins at the live edge; in replay nothing
is refused that was done before.

`datetime.now` and its like belong to classes that cannot be changed, and a subclass
in their place would not be the same to `isinstance` and `pickle`: calls of them are
watched for, where the interpreter can do that (see `class_clocks`). Not guarded is
what was taken out of its module before the guard came and is called by a library.
"""

from __future__ import annotations

import asyncio
import functools
import linecache
import sys
import threading
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from sched_sdk._ignore_comments import ignored_rules
from sched_sdk._replay.call_sites import NOWHERE, format_site, is_bottom
from sched_sdk._replay.class_clocks import watch
from sched_sdk._replay.origins import (
    Origin,
    add_app_files,
    is_app_code,
    origin_of,
    origin_of_file,
)
from sched_sdk._replay.unsteady import UNSTEADY, Unsteady
from sched_sdk.errors import ForbiddenCallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType, ModuleType

    from sched_sdk._replay.loop import ReplayLoop

__all__ = ["AUDITED", "GuardedFunction", "install"]

_running_loop = asyncio._get_running_loop
_OUTSIDE = "an activity (ctx.queue_activity) or a step (ctx.step)"


class Reach(Enum):
    """See the module."""

    OWN = "own"
    NEAREST = "nearest"
    ANYBODY = "anybody"


class _Call(NamedTuple):
    rule: str
    why: str
    instead: str
    reach: Reach


_BLOCKS = "blocks every workflow of the worker, and may find something else in replay"
_FILES = _Call("SCH106", "may find something else in replay", _OUTSIDE, Reach.NEAREST)
_NETWORK = _Call("SCH107", _BLOCKS, _OUTSIDE, Reach.ANYBODY)
_DATABASE = _Call("SCH106", _BLOCKS, _OUTSIDE, Reach.ANYBODY)
_PROCESSES = _Call("SCH108", _BLOCKS, _OUTSIDE, Reach.ANYBODY)
_THREADS = _Call("SCH109", "does something else in replay", _OUTSIDE, Reach.NEAREST)
_SLEEP = _Call(
    "SCH102",
    "blocks every workflow of the worker, in replay again",
    "`await ctx.sleep(…)`, which is durable",
    Reach.ANYBODY,
)
_INPUT = _Call(
    "SCH106", "blocks every workflow of the worker", "ctx.wait_for_signal", Reach.NEAREST
)

AUDITED: dict[str, tuple[str, _Call]] = {
    "time.sleep": ("time.sleep()", _SLEEP),
    "builtins.input": ("input()", _INPUT),
    "_thread.start_new_thread": ("starting a thread", _THREADS),
    "_thread.start_joinable_thread": ("starting a thread", _THREADS),
    "sqlite3.connect": ("sqlite3.connect()", _DATABASE),
    "open": ("opening a file", _FILES),
    "subprocess.Popen": ("subprocess", _PROCESSES),
    "shutil.copyfile": ("shutil.copyfile()", _FILES),
    "shutil.rmtree": ("shutil.rmtree()", _FILES),
    **{
        f"os.{name}": (f"os.{name}()", _FILES)
        for name in (
            *("listdir", "scandir", "mkdir", "rmdir", "remove", "rename", "link", "symlink"),
            *("truncate", "chmod", "chown", "utime"),
        )
    },
    **{
        f"os.{name}": (f"os.{name}()", _PROCESSES)
        for name in ("system", "exec", "fork", "forkpty", "posix_spawn", "spawn")
    },
    **{
        f"socket.{name}": (f"socket.{name}()", _NETWORK)
        for name in (
            *("connect", "bind", "sendto", "getaddrinfo", "getnameinfo"),
            *("gethostbyname", "gethostbyaddr"),
        )
    },
}
"""By audit event: what to call it, and what is to be done instead."""

_installation = threading.Lock()
# By the address of the original, which the stand-in keeps alive. Empty: not installed.
_stand_ins: dict[int, GuardedFunction] = {}


class GuardedFunction:
    """Stands in a module for one of its functions.

    No function itself: as an attribute of a class, built-in functions take no
    `self`, and neither does this.
    """

    def __init__(self, function: Callable[..., Any], call: Unsteady) -> None:
        self.__wrapped__ = function
        self.__name__ = self.__qualname__ = call.name
        self.__module__ = call.module
        self.__doc__ = function.__doc__
        self._function = function
        self._call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        loop: Any = _running_loop()
        if loop is not None and getattr(loop, "guarded", False):
            caller = sys._getframe(1)
            if is_app_code(caller.f_code) and self._is_named_in(caller):
                call = self._call
                what = _Call(call.rule, call.what, call.instead, Reach.OWN)
                _judge(loop, caller, call.call, what)
        return self._function(*args, **kwargs)

    def _is_named_in(self, caller: FrameType) -> bool:
        """Whether the function calls it, and not something written in C for it,
        such as a constructor that fills in a default."""
        names = caller.f_code.co_names
        if self._call.name in names:
            return True
        return any(caller.f_globals.get(name) is self for name in names)

    def __repr__(self) -> str:
        return f"<guarded {self._function!r}>"

    def __reduce__(self) -> str:
        return self.__name__


class _Sleep(GuardedFunction):
    """`time.sleep` is nobody's to call, however it is reached."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        _announce("time.sleep", sys._getframe(1))
        return self._function(*args, **kwargs)


def install(functions: Iterable[Callable[..., Any]]) -> None:
    """Guard this process, once; there is no way back. The files of these
    workflow functions are the app's, wherever they are installed."""
    for function in functions:
        _add_app(function)
    watch(_hear_class_clock)
    with _installation:
        if _stand_ins:
            return
        for call in UNSTEADY.values():
            _replace(call, GuardedFunction)
        _replace(Unsteady("time", "sleep", _SLEEP.rule, _SLEEP.instead, _SLEEP.why), _Sleep)
        threading.Thread.start = _announcing_start(threading.Thread.start)  # type: ignore[method-assign, assignment]  # does the same
        for module in list(sys.modules.values()):
            _rebind(module)
        sys.addaudithook(_hear)


def _add_app(function: Callable[..., Any]) -> None:
    code = getattr(function, "__code__", None)
    if code is None or origin_of(code) is not Origin.LIBRARY:
        return
    package = sys.modules.get(function.__module__.partition(".")[0])
    folders = getattr(package, "__path__", None)
    for path in [f"{folder}/" for folder in folders] if folders else [code.co_filename]:
        add_app_files(path)


def _replace(call: Unsteady, kind: type[GuardedFunction]) -> None:
    module = sys.modules[call.module]
    original = getattr(module, call.name)
    stand_in = _stand_ins[id(original)] = kind(original, call)
    setattr(module, call.name, stand_in)


def _rebind(module: ModuleType) -> None:
    """What the app's modules imported by name before the guard came."""
    file = getattr(module, "__file__", None)
    if not file or origin_of_file(file) is not Origin.APP:
        return
    for name, value in list(vars(module).items()):
        stand_in = _stand_ins.get(id(value))
        if stand_in is not None:
            setattr(module, name, stand_in)


def _hear_class_clock(caller: FrameType, call: Unsteady) -> None:
    loop: Any = _running_loop()
    if loop is not None and getattr(loop, "guarded", False):
        _judge(loop, caller, call.call, _Call(call.rule, call.what, call.instead, Reach.OWN))


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook."""
    if event in AUDITED:
        loop: Any = _running_loop()
        if loop is not None and getattr(loop, "guarded", False):
            if event == "open" and _is_time_zone(arguments[0]):
                return
            name, call = AUDITED[event]
            _judge(loop, sys._getframe(1), name, call)


def _announce(event: str, frame: FrameType) -> None:
    """Hear of what older Pythons do not announce."""
    loop: Any = _running_loop()
    if loop is not None and getattr(loop, "guarded", False):
        name, call = AUDITED[event]
        _judge(loop, frame, name, call)


def _announcing_start(
    start: Callable[[threading.Thread], None],
) -> Callable[[threading.Thread], None]:
    @functools.wraps(start)
    def announces(self: threading.Thread) -> None:
        _announce("_thread.start_new_thread", sys._getframe(1))
        start(self)

    return announces


def _is_time_zone(path: object) -> bool:
    """`ZoneInfo` opens its files itself, so no frame tells that it is one of them."""
    zones = sys.modules.get("zoneinfo")
    return (
        zones is not None and isinstance(path, str) and path.startswith(tuple(zones.TZPATH) or "\0")
    )


def _judge(loop: ReplayLoop, frame: FrameType, name: str, call: _Call) -> None:
    """Raise ForbiddenCallError, unless the call is let pass."""
    loop.guarded = False  # what happens here is none of the workflow's doing
    try:
        responsible, forbidden = _responsible(frame, call)
        if not forbidden:
            return
        site = NOWHERE if responsible is None else (responsible.f_code, responsible.f_lasti)
        place = format_site(site)
        where = f" ({place})" if place else ""
        meant = f" If it is meant, say so on that line: # sched: ignore[{call.rule}]"
        error = ForbiddenCallError(
            f"{name} cannot be used in workflow code{where}: it {call.why}. "
            f"Use {call.instead}.{meant if place else ''}",
            call=name,
            call_site=place,
            instead=call.instead,
        )
        loop.violation = loop.violation or error
    finally:
        loop.guarded = True
    raise error


def _responsible(frame: FrameType | None, call: _Call) -> tuple[FrameType | None, bool]:
    """The app's innermost frame, and whether the call is forbidden."""
    app: FrameType | None = None
    nearest: Origin | None = None
    while frame is not None and not is_bottom(frame.f_code):
        origin = origin_of(frame.f_code)
        if origin is Origin.EXEMPT:
            return None, False
        if nearest is None and origin is not Origin.STANDARD:
            nearest = origin
        if app is None and origin is Origin.APP:
            app = frame
        frame = frame.f_back
    if call.reach is not Reach.ANYBODY and nearest is not Origin.APP:
        return app, False
    return app, app is None or not _is_meant(app, call.rule)


def _is_meant(frame: FrameType, rule: str) -> bool:
    """Whether a comment on the first or the last line of the call says so."""
    positions = list(frame.f_code.co_positions())
    first, last = positions[frame.f_lasti // 2][:2]
    for line in {first, last} - {None}:
        text = linecache.getline(frame.f_code.co_filename, line or 0)
        if "sched:" in text:
            rules = ignored_rules(text)
            if rules is None or rule in rules:
                return True
    return False
