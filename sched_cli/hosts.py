"""Addresses to listen on, as they are typed."""

from __future__ import annotations

import socket

from sched_cli.errors import UsageError


def check_host(host: str) -> None:
    """Raises UsageError for a --host that is no address of this machine."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
    except OSError as error:
        raise UsageError(
            f"--host {host} is no address of this machine ({error.strerror}). Leave it out, or "
            "name one that is; 0.0.0.0 stands for all."
        ) from error
