"""Whether callers get into the engines for long, and who could listen to them."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from typing import TYPE_CHECKING

from sched_cli.doctor.findings import Finding, ok, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._access import TLS, Access

__all__ = ["examine", "judge_expiry"]

_LOOK_S = 2.0
_SOON_DAYS = 14
_DAY_S = 24 * 60 * 60


async def examine(addresses: Sequence[str], access: Access) -> list[Finding]:
    """What is to be said of certificates and tokens; nothing where there are none."""
    found = []
    if access.tls is not None:
        looks = [_expires(address, access.tls) for address in addresses]
        for address, expires in zip(addresses, await asyncio.gather(*looks), strict=True):
            if expires is not None:  # else it does not answer, which is told elsewhere
                found.append(judge_expiry(address, (expires - time.time()) / _DAY_S))
    elif access.token is not None:
        far = [address for address in addresses if not await _is_here(address)]
        if far:
            found.append(
                warn(
                    "engine.token",
                    f"The token goes to {' and '.join(far)} in plain text: whoever listens has it.",
                    "Give the engine a certificate (--tls-cert, --tls-key), and callers --tls.",
                )
            )
    return found


def judge_expiry(address: str, days: float) -> Finding:
    """Of a certificate that can be used for so many days."""
    if days > _SOON_DAYS:
        return ok("engine.certificate", f"The certificate of {address} is good for {days:.0f} days")
    left = f"{days:.0f} days" if days >= 2 else f"{days * 24:.0f} hours"
    return warn(
        "engine.certificate",
        f"The certificate of {address} expires in {left}.",
        "Renew it, and start the engine again: it reads the certificate when it starts.",
    )


async def _expires(address: str, tls: TLS) -> float | None:
    """When, in seconds since 1970; None if that cannot be seen."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    writer = None
    with contextlib.suppress(OSError, TimeoutError):
        context = ssl.create_default_context(cafile=tls.ca_file)
        # As gRPC does; an engine's own certificate may be what is trusted.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.set_alpn_protocols(["h2"])
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
        try:
            async with asyncio.timeout(_LOOK_S):
                _, writer = await asyncio.open_connection(
                    host, int(port), ssl=context, server_hostname=tls.server_name or host
                )
            shown = writer.get_extra_info("peercert") or {}
            return ssl.cert_time_to_seconds(shown["notAfter"]) if shown else None
        finally:
            if writer is not None:
                writer.transport.abort()
    return None


async def _is_here(address: str) -> bool:
    """Whether what is sent there does not leave this machine."""
    if address.startswith("unix:"):
        return True
    host, _, port = address.rpartition(":")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM
        )
    except OSError:
        return False
    texts = [str(where[0]).partition("%")[0] for *_, where in found]
    return all(ipaddress.ip_address(text).is_loopback for text in texts)
