"""Where connections to engines are made: in plain text or by TLS, with a token or none."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

# Sets what gRPC reads when it is imported.
from sched_sdk._client import transport
from sched_sdk._tls import credentials_of, name_options

import grpc.aio  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_sdk._access import Access

__all__ = ["ChannelOpener"]

# Leaves room for the frame around the largest message.
_CHANNEL_MESSAGE_BYTES = transport.MAXIMUM_MESSAGE_BYTES + 1024 * 1024

_CHANNEL_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_send_message_length", _CHANNEL_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _CHANNEL_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 5_000),
    # Each attempt has a connection and a backoff of its own, decided here.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
)


class ChannelOpener:
    """Makes connections to single engines, which connect with their first call.

    An engine that is frozen, or whose machine has vanished, closes nothing. It is
    asked whether it lives while data comes, and five seconds after the last; if
    it does not answer within `silence_s`, the connection breaks.
    """

    def __init__(self, access: Access) -> None:
        """Raises InvalidArgumentError for files of `access` that cannot be used."""
        self._metadata = access.metadata
        self._credentials = None if access.tls is None else credentials_of(access.tls)
        self._name = name_options(access)

    def __call__(self, address: str, silence_s: float = 5.0) -> grpc.aio.Channel:
        # Any ping may be the one that is waited for. Those that measure the bandwidth
        # keep the one of keepalive back, and have a minute by default.
        timeout_ms = int(silence_s * 1000)
        options = (
            *_CHANNEL_OPTIONS,
            ("grpc.keepalive_timeout_ms", timeout_ms),
            ("grpc.http2.ping_timeout_ms", timeout_ms),
            *self._name,
        )
        if self._credentials is None:
            channel = grpc.aio.insecure_channel(address, options=options)
        else:
            channel = grpc.aio.secure_channel(address, self._credentials, options=options)
        if self._metadata is None:
            return channel
        return cast("grpc.aio.Channel", _TokenChannel(channel, self._metadata))


class _TokenChannel:
    """A connection whose every call carries the token, whoever makes it. Interceptors
    would do the same, and would be in the way of each message of a stream."""

    def __init__(self, channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...]) -> None:
        self._channel = channel
        self._metadata = metadata
        self.close = channel.close

    def unary_unary(self, *args: Any, **options: Any) -> Callable[..., Any]:
        return self._carrying(self._channel.unary_unary(*args, **options))

    def unary_stream(self, *args: Any, **options: Any) -> Callable[..., Any]:
        return self._carrying(self._channel.unary_stream(*args, **options))

    def stream_unary(self, *args: Any, **options: Any) -> Callable[..., Any]:
        return self._carrying(self._channel.stream_unary(*args, **options))

    def stream_stream(self, *args: Any, **options: Any) -> Callable[..., Any]:
        return self._carrying(self._channel.stream_stream(*args, **options))

    def _carrying(self, call: Any) -> Callable[..., Any]:
        return functools.partial(call, metadata=self._metadata)
