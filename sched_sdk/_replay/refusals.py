"""What an event loop can do and workflow code must not.

A thread, a socket or a process gives another answer when the code runs again
over its history. Each such method raises, and says what to do instead; like what
`guard` refuses, it is remembered at the live edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from sched_sdk._replay.call_sites import format_site, user_frame
from sched_sdk.errors import ForbiddenCallError

if TYPE_CHECKING:
    from sched_sdk._replay.loop import ReplayLoop

__all__ = ["refuse_in"]

_OUTSIDE = "put it into an activity (ctx.queue_activity) or a step (ctx.step)"
_THE_WORKER = "the worker runs the loop; a workflow function only awaits"

_REFUSED: dict[str, tuple[str, tuple[str, ...]]] = {
    "threads": (_OUTSIDE, ("run_in_executor", "set_default_executor", "call_soon_threadsafe")),
    "host look-ups": (_OUTSIDE, ("getaddrinfo", "getnameinfo")),
    "network connections": (
        _OUTSIDE,
        (
            "create_connection",
            "create_server",
            "create_datagram_endpoint",
            "create_unix_connection",
            "create_unix_server",
            "connect_accepted_socket",
            "start_tls",
            "sendfile",
            "sock_accept",
            "sock_connect",
            "sock_recv",
            "sock_recv_into",
            "sock_recvfrom",
            "sock_recvfrom_into",
            "sock_sendall",
            "sock_sendto",
            "sock_sendfile",
        ),
    ),
    "pipes and processes": (
        _OUTSIDE,
        ("connect_read_pipe", "connect_write_pipe", "subprocess_exec", "subprocess_shell"),
    ),
    "file descriptors": (
        _OUTSIDE,
        ("add_reader", "remove_reader", "add_writer", "remove_writer"),
    ),
    "process signals": (
        "send the workflow a signal (client.workflow(id).signal) and use ctx.wait_for_signal",
        ("add_signal_handler", "remove_signal_handler"),
    ),
    "running the loop": (
        _THE_WORKER,
        (
            "run_forever",
            "run_until_complete",
            "stop",
            "close",
            "shutdown_asyncgens",
            "shutdown_default_executor",
        ),
    ),
    "another task factory": (
        "tasks are made in a fixed order; call asyncio.create_task",
        ("get_task_factory", "set_task_factory"),
    ),
    "debug mode of the loop": ("set it for the worker's process", ("set_debug",)),
}


def refuse_in(loop: type) -> None:
    """Give the class a method that raises for everything in the table."""
    for subject, (remedy, names) in _REFUSED.items():
        for name in names:
            setattr(loop, name, _refusing(name, subject, remedy))


def _refusing(name: str, subject: str, remedy: str) -> Any:
    def refuse(loop: ReplayLoop, *_args: Any, **_options: Any) -> NoReturn:
        site = format_site(user_frame())
        error = ForbiddenCallError(
            f"{subject} ({name}) cannot be used in workflow code{f' ({site})' if site else ''}: "
            f"{remedy}",
            call=f"loop.{name}()",
            call_site=site,
            instead=remedy,
        )
        if not loop.silent:
            loop.violation = loop.violation or error
        raise error

    refuse.__name__ = name
    return refuse
