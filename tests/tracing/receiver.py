"""An OTLP receiver: real gRPC or HTTP, the real protobuf, spans as plain data."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

DEADLINE_S = 15.0
NO_PARENT = ""
# An engine's clock is that of its database when it took over, and goes on by itself.
SKEW_NS = 100_000_000


@dataclass(frozen=True)
class Span:
    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    trace_state: str
    attributes: dict[str, Any]
    start_ns: int
    end_ns: int
    status: str
    message: str
    events: list[str]

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"


class Received:
    """The spans that have come."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.headers: list[dict[str, str]] = []

    def add(self, request: pb.ExportTraceServiceRequest, headers: dict[str, str]) -> None:
        """What the receiver's own threads do."""
        self.headers.append(headers)
        self.spans.extend(_spans(request))

    async def named(self, name: str, count: int = 1) -> list[Span]:
        """Wait until there are so many of this name; in the order of their beginning."""
        deadline = time.monotonic() + DEADLINE_S
        while len(found := [span for span in self.spans if span.name == name]) < count:
            seen = sorted(span.name for span in self.spans)
            assert time.monotonic() < deadline, f"fewer than {count} of {name} in {seen}"
            await asyncio.sleep(0.01)
        return sorted(found, key=lambda span: span.start_ns)


def _spans(request: pb.ExportTraceServiceRequest) -> list[Span]:
    found = []
    for resource in request.resource_spans:
        of_resource = _plain(resource.resource.attributes)
        for scope in resource.scope_spans:
            assert scope.scope.name
            found.extend(
                Span(
                    service=of_resource["service.name"],
                    name=span.name,
                    kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    trace_state=span.trace_state,
                    attributes=_plain(span.attributes),
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    status=trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix(
                        "STATUS_CODE_"
                    ),
                    message=span.status.message,
                    events=[event.name for event in span.events],
                )
                for span in scope.spans
            )
    return found


def _plain(attributes: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


class GrpcReceiver(Received, trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self._server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self.url = f"http://127.0.0.1:{self._server.add_insecure_port(f'127.0.0.1:{port}')}"
        self._server.start()

    def Export(self, request: pb.ExportTraceServiceRequest, context: Any) -> Any:
        self.add(request, dict(context.invocation_metadata()))
        return pb.ExportTraceServiceResponse()

    def close(self) -> None:
        self._server.stop(0).wait()


class HttpReceiver(Received):
    def __init__(self) -> None:
        super().__init__()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = pb.ExportTraceServiceRequest.FromString(body)
                receiver.add(request, dict(self.headers.items()))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
