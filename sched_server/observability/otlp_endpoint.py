"""Where spans go, and whether this installation can send any. Loads no library."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

_GRPC_PORT = 4317
_HTTP_PORT = 4318
_HTTP_PATH = "/v1/traces"
_EXAMPLES = "http://localhost:4317 (gRPC) or http://localhost:4318/v1/traces (HTTP)"


class TracingError(Exception):
    """Spans cannot be sent; says why, and what to do."""


class OtlpEndpoint(NamedTuple):
    """A receiver of spans."""

    url: str
    http: bool
    """OTLP over HTTP; else over gRPC."""


def parse_endpoint(text: str) -> OtlpEndpoint:
    """A path or port 4318 means HTTP, anything else gRPC. Raises TracingError."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _wrong(text, str(error)) from None
    if "@" in text:
        # Not shown: what stands before the @ may be a password.
        raise TracingError(
            "The OTLP endpoint has a user name or a password in it. Leave them out, and put what "
            "the receiver wants to know into OTEL_EXPORTER_OTLP_HEADERS, as in "
            "authorization=Bearer%20TOKEN."
        )
    if parts.scheme not in ("http", "https"):
        raise _wrong(text, "it does not begin with http:// or https://")
    if not parts.hostname:
        raise _wrong(text, "it names no host")
    if port == 0:
        raise _wrong(text, "0 is no port to send to")
    if parts.query or parts.fragment:
        raise _wrong(text, "it has more than a path behind the host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/")
    if path or port == _HTTP_PORT:
        where = f"{host}:{port}" if port else host
        return OtlpEndpoint(f"{parts.scheme}://{where}{path or _HTTP_PATH}", http=True)
    return OtlpEndpoint(f"{parts.scheme}://{host}:{port or _GRPC_PORT}", http=False)


def check(text: str) -> None:
    """Raises TracingError if the text names no receiver, or what sends is missing."""
    parse_endpoint(text)
    try:
        from sched_server.observability import otlp  # noqa: F401 - whether it can be loaded
    except ImportError as error:
        raise TracingError(
            f"Sending spans to {text} needs OpenTelemetry, which is not installed here "
            f'({error}). Install it with: pip install "sched-engine[otel]"'
        ) from error


def _wrong(text: str, why: str) -> TracingError:
    return TracingError(f"{text!r} is no OTLP endpoint: {why}. Write it like {_EXAMPLES}.")
