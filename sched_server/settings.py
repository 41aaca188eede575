"""What can be set about an engine, with defaults that suit a laptop."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, field

from sched_server.core.limits import Limits

DEFAULT_PORT = 50051
DEFAULT_DATABASE = Path(".sched") / "dev.db"
MEMORY = ":memory:"
DEFAULT_LOCK_KEY = 0x53636845644C6431  # "SchEdLd1"


class ApiLimits(Struct, frozen=True, kw_only=True):
    """What is checked at the edge, before a request reaches a run."""

    payload_bytes: int = 2 * 1024 * 1024
    id_characters: int = 255
    details_characters: int = 4_096
    """Of what a workflow says it is doing, for people."""
    message_bytes: int = 16 * 1024 * 1024
    page_events: int = 1_000
    page_workflows: int = 1_000
    page_bytes: int = 4 * 1024 * 1024
    waiting_calls_per_stream: int = 10_000
    calls_per_stream: int = 10_000
    open_queries: int = 1_000
    """Queries that wait for an answer, of all clients together."""


class EngineSettings(Struct, frozen=True, kw_only=True):
    """How one engine runs."""

    db: Path | str = DEFAULT_DATABASE
    """A SQLite file, or ":memory:"; not used with `postgres_dsn`."""
    postgres_dsn: str = ""
    """Keep the state in this Postgres database, where standby engines can take over."""
    migrate: bool = False
    """Bring an older Postgres schema up to date when starting."""
    migration_wait_s: float = 60.0
    """How long another program that migrates the same database is waited for."""
    lock_key: int = DEFAULT_LOCK_KEY
    """The advisory lock that engines of one cluster contend for."""
    redis_url: str = ""
    """Deliver tasks through this Redis; empty: in memory."""
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0 picks a free one."""
    metrics_port: int | None = None
    """Serve /metrics, /healthz and /readyz here, on the same host; None: nowhere,
    0 picks a free one."""
    metrics_port_may_differ: bool = False
    """If the metrics port is taken, take a free one instead of not starting."""
    otlp_endpoint: str = ""
    """Send spans to this OTLP receiver; empty: make none."""
    advertise: str = ""
    """The address that others are told to reach this engine at; empty: host and port."""
    tls_cert: str = ""
    """A PEM file with the certificate that the engine shows, and those between it and
    its root; empty: plain text. Read when the engine starts, as the next ones are."""
    tls_key: str = ""
    """A PEM file with the key that belongs to it."""
    tls_client_ca: str = ""
    """Callers have to show a certificate of one of these CAs, a PEM file; empty: none."""
    token_file: str = ""
    """Callers have to carry a token of this file, one a line; empty: none."""
    limits: Limits = field(default_factory=Limits)
    api_limits: ApiLimits = field(default_factory=ApiLimits)
    cached_executions: int = 10_000
    """Runs kept in memory; others are folded from their history when needed."""
    batch_executions: int = 256
    """At most this many runs change in one transaction."""
    workflow_task_timeout_s: float = 10.0
    """A task neither answered nor renewed for so long goes to another worker."""
    activity_grace_s: float = 5.0
    """How long a worker whose stream broke may take to come back and claim
    the activities that it runs."""
    movable_clock: bool = False
    """Whoever can call may move its clock ahead; for dev servers."""
    timers_per_second: int = 20_000
    """How fast overdue timers are fired after an outage."""
