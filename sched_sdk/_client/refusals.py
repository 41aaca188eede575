"""Why an engine and a caller do not come together, although both are there.

gRPC says at length what went wrong in a handshake, and that the engine is
unavailable. Trying again does not help against that; so it is told apart here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

import grpc

from sched_sdk.errors import AuthenticationError

if TYPE_CHECKING:
    import grpc.aio

    from sched_sdk._access import TLS, Access

__all__ = ["Refusals", "refusal_of"]

_LOOK_S = 1.0

_HANDSHAKES = {
    "WRONG_VERSION_NUMBER": (
        "{address} speaks no TLS. Connect without it, or give the engine a certificate "
        "(--tls-cert, --tls-key)."
    ),
    "certificate has expired": (
        "the certificate of {address} has expired. Give the engine a new one."
    ),
    "certificate is not yet valid": (
        "the certificate of {address} is not valid yet. Look at the clocks of both machines."
    ),
    "CERTIFICATE_VERIFY_FAILED": (
        "the certificate of {address} is not trusted. Name the CA that signed it: --tls-ca, "
        "SCHED_TLS_CA, or TLS(ca_file=…)."
    ),
    "Hostname Verification Check failed": (
        "the certificate of {address} is for another name. Connect to the name that it is for, "
        "or say that name: --tls-server-name, SCHED_TLS_SERVER_NAME, or TLS(server_name=…)."
    ),
}
_SPEAKS_TLS = (
    "{address} speaks TLS, and this caller does not. Turn it on: --tls or --tls-ca, SCHED_TLS=1, "
    "or tls=TLS(…)."
)
_WANTS_A_CERTIFICATE = (
    "{address} asks callers for a certificate. Name yours: --tls-cert and --tls-key, "
    "SCHED_TLS_CERT and SCHED_TLS_KEY, or TLS(cert_file=…, key_file=…)."
)
_NOT_THIS_CERTIFICATE = (
    "{address} does not accept the certificate of this caller. It has to be of the CA that the "
    "engine was given with --tls-client-ca, and not expired."
)


class Refusals:
    """Which engines refused a caller since one served it last, and whether to give up.

    One that is away may come back, and one that refuses a token does not change its
    mind. Who has never been served gives up when everybody was asked and somebody
    refused; who has been served, when everybody refused: the others may only be away.
    """

    def __init__(self, addresses: tuple[str, ...], access: Access) -> None:
        self._addresses = addresses
        self._access = access
        self._refused: dict[str, AuthenticationError] = {}
        self._asked: set[str] = set()
        self._served = False

    def served(self) -> None:
        """An engine serves."""
        self._served = True
        self.forget()

    def forget(self) -> None:
        """Begin a new round."""
        self._refused.clear()
        self._asked.clear()

    def away(self, address: str) -> None:
        """This engine does not serve, for a reason that may pass."""
        self._asked.add(address)
        self._refused.pop(address, None)

    async def failed(self, address: str, error: grpc.aio.AioRpcError) -> None:
        """The call to this engine failed."""
        self.away(address)
        if (refusal := await refusal_of(error, address, self._access)) is not None:
            self._refused[address] = refusal

    def final(self) -> AuthenticationError | None:
        """Why to give up; None while it may help to go on."""
        enough = len(self._addresses) if self._served else 1
        if len(self._asked) < len(self._addresses) or len(self._refused) < enough:
            return None
        return AuthenticationError(str(next(iter(self._refused.values()))))


async def refusal_of(
    error: grpc.aio.AioRpcError, address: str, access: Access
) -> AuthenticationError | None:
    """What a failed call to "host:port" says of tokens and certificates; None when it
    failed for another reason."""
    details = error.details() or ""
    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
        return AuthenticationError(details)
    # Not of a connection that there was: that one's end has other reasons.
    if error.code() is not grpc.StatusCode.UNAVAILABLE or "failed to connect" not in details:
        return None
    for mark, text in _HANDSHAKES.items():
        if mark in details:
            return AuthenticationError(text.format(address=address))
    if "Socket closed" in details or "Connection reset" in details:
        text = await _look(address, access.tls)
        return AuthenticationError(text.format(address=address)) if text else None
    return None


async def _look(address: str, tls: TLS | None) -> str:
    """Somebody took the connection, and hung up: because of TLS? Empty: who knows."""
    if address.startswith("unix:"):
        return ""
    # Only to see what is there; nothing is told to whoever it is.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    shows = tls is not None and tls.cert_file is not None and tls.key_file is not None
    host, _, port = address.rpartition(":")
    writer = None
    try:
        if tls is not None and shows:
            assert tls.cert_file is not None
            context.load_cert_chain(tls.cert_file, tls.key_file)
        async with asyncio.timeout(_LOOK_S):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
            if tls is None:
                return _SPEAKS_TLS
            # An engine that is content with the caller's certificate says something; one
            # that is not hangs up, behind the handshake.
            if not await reader.read(1):
                return _NOT_THIS_CERTIFICATE if shows else _WANTS_A_CERTIFICATE
    except ssl.SSLError as error:
        # Whatever it does not like about this look: it speaks TLS.
        if tls is None and "ALERT" in (error.reason or ""):
            return _SPEAKS_TLS
    except (OSError, TimeoutError):
        pass
    finally:
        if writer is not None:
            writer.transport.abort()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()
    return ""
