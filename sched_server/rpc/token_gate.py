"""Only callers that carry a token of the engine's get in.

Looked at once for each call, a stream being one; and not there at all when the
engine has no tokens.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    _Interceptor = grpc.aio.ServerInterceptor[Any, Any]
else:
    _Interceptor = grpc.aio.ServerInterceptor

__all__ = ["TokenGate"]

# What asks whether an engine lives has no secrets, and learns none.
_FREE = "/grpc.health.v1.Health/"
_SCHEME = "bearer "
_MISSING = (
    "this engine asks for a token, and the call has none. Name yours: --token-file or "
    "SCHED_TOKEN, in code token=…"
)
_WRONG = (
    "this engine does not know the token of the call. Use one of its --token-file; an engine "
    "reads that when it starts"
)


class TokenGate(_Interceptor):
    """Answers calls without one of the tokens with UNAUTHENTICATED."""

    def __init__(self, tokens: Sequence[str]) -> None:
        # Hashes are of one length, so that the time of a comparison tells nothing.
        self._known = tuple(_hash(token) for token in tokens)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of a call, or one that turns it away."""
        details: Any = handler_call_details
        if details.method.startswith(_FREE):
            return await continuation(handler_call_details)
        given = [value for key, value in details.invocation_metadata if key == "authorization"]
        if not given:
            return _turn_away(_MISSING)
        if not all(map(self._knows, given)):
            return _turn_away(_WRONG)
        return await continuation(handler_call_details)

    def _knows(self, header: str | bytes) -> bool:
        text = header.decode(errors="replace") if isinstance(header, bytes) else header
        if text[: len(_SCHEME)].lower() != _SCHEME:
            return False
        given = _hash(text[len(_SCHEME) :])
        # All of them, not until the first that fits.
        return sum(hmac.compare_digest(given, known) for known in self._known) > 0


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _turn_away(why: str) -> Any:
    async def abort(_requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, why)

    # Of a stream, whatever was called: it answers without waiting for a message.
    return grpc.stream_stream_rpc_method_handler(abort)
