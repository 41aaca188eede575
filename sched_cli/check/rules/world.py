"""SCH1xx: what is not the same in every replay, or cannot run in one at all."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sched_cli.check.findings import Problem, Rule
from sched_cli.check.rules.forbidden import Forbidden, forbidden_names, names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_cli.check.code import Code

_OUTSIDE = "Put it into an activity (ctx.queue_activity) or a step (ctx.step)."

CLOCK = Rule(
    "SCH101",
    "clock",
    "The clock shows another time in every replay.",
    "Use ctx.now().",
)
BLOCKING_SLEEP = Rule(
    "SCH102",
    "blocking-sleep",
    "A blocking sleep stops every workflow of the worker, and is slept again in every replay.",
    "Use `await ctx.sleep(…)` or `await asyncio.sleep(…)`, which are durable.",
)
CHANCE = Rule(
    "SCH103",
    "chance",
    "Random numbers are others in every replay.",
    "Use ctx.random.",
)
IDENTIFIERS = Rule(
    "SCH104",
    "random-id",
    "Random ids and secrets are others in every replay.",
    "Use ctx.uuid4().",
)
ENVIRONMENT = Rule(
    "SCH105",
    "environment",
    "The environment of the process is another after a deployment, or on another worker.",
    "Pass the value as an argument, or read it in an activity or a step.",
)
FILES = Rule(
    "SCH106",
    "files",
    "Files and databases may have changed by the next replay, and writes happen again in it.",
    _OUTSIDE,
)
NETWORK = Rule(
    "SCH107",
    "network",
    "The network answers differently in every replay, and blocks the worker.",
    _OUTSIDE,
)
PROCESSES = Rule(
    "SCH108",
    "processes",
    "A process is started again in every replay.",
    _OUTSIDE,
)
THREADS = Rule(
    "SCH109",
    "threads",
    "Threads, executors and other event loops run in no order that replay could repeat.",
    _OUTSIDE,
)

RULES = (
    CLOCK,
    BLOCKING_SLEEP,
    CHANCE,
    IDENTIFIERS,
    ENVIRONMENT,
    FILES,
    NETWORK,
    PROCESSES,
    THREADS,
)

# time.localtime(), gmtime() and ctime() read the clock only without an argument; the same
# of strftime() with one.
_CLOCK_WITHOUT_ARGUMENT = {
    "time.asctime": 0,
    "time.ctime": 0,
    "time.gmtime": 0,
    "time.localtime": 0,
    "time.strftime": 1,
}


def _use_date(origin: str) -> str:
    return "Use ctx.now().date()." if origin == "datetime.date.today" else ""


def _use_random(origin: str) -> str:
    return "Use ctx.random, and do not seed what others share." if origin.endswith("seed") else ""


def _use_identifier(origin: str) -> str:
    if origin.startswith("uuid."):
        return ""
    if origin.startswith("secrets.") and not origin.endswith(("choice", "randbelow", "randbits")):
        return "Make secrets in an activity or a step; for an id use ctx.uuid4()."
    return "Use ctx.random; what must stay secret is made in an activity or a step."


def _use_asyncio(origin: str) -> str:
    if origin.startswith("queue."):
        return "Use asyncio.Queue, which works in workflow code."
    synchronisers = ("Barrier", "Condition", "Event", "Lock", "Semaphore")
    if origin.startswith("threading.") and origin.endswith(synchronisers):
        return f"Use asyncio.{origin.rpartition('.')[2]}, which works in workflow code."
    if origin.endswith((".run", ".run_until_complete")):
        return "Await the coroutine."
    return ""


_DATABASES = (
    "psycopg.AsyncConnection",
    "psycopg.Connection",
    "psycopg_pool.AsyncConnectionPool",
    "psycopg_pool.ConnectionPool",
    "pymongo.MongoClient",
    "sqlite3.Connection",
)
_HTTP_METHODS = "delete get head options patch post put request"
_NETWORK_CLIENTS = (
    "aiohttp.ClientSession",
    "ftplib.FTP",
    "ftplib.FTP_TLS",
    "http.client.HTTPConnection",
    "http.client.HTTPSConnection",
    "httpx.AsyncClient",
    "httpx.Client",
    "imaplib.IMAP4",
    "imaplib.IMAP4_SSL",
    "poplib.POP3",
    "poplib.POP3_SSL",
    "redis.Redis",
    "redis.StrictRedis",
    "redis.asyncio.Redis",
    "requests.Session",
    "sched_sdk.Client",
    "sched_sdk.SyncClient",
    "smtplib.SMTP",
    "smtplib.SMTP_SSL",
    "socket.socket",
    "urllib3.PoolManager",
)

_LISTS = (
    Forbidden(
        CLOCK,
        names(
            "time",
            "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time "
            "process_time_ns thread_time thread_time_ns clock_gettime clock_gettime_ns",
        )
        | names("datetime", "datetime.now datetime.utcnow datetime.today date.today")
        | {"arrow.now", "arrow.utcnow", "django.utils.timezone.now", "pendulum.now"}
        | {"django.utils.timezone.localdate", "django.utils.timezone.localtime"}
        | {"pandas.Timestamp.now", "pandas.Timestamp.utcnow", "pendulum.today"},
        verb="reads the clock, which shows another time in replay",
        instead=_use_date,
    ),
    Forbidden(
        BLOCKING_SLEEP,
        names("time", "sleep"),
        verb="blocks every workflow of the worker, in every replay again",
    ),
    Forbidden(
        CHANCE,
        names(
            "random",
            "SystemRandom betavariate binomialvariate choice choices expovariate gammavariate "
            "gauss getrandbits lognormvariate normalvariate paretovariate randbytes randint "
            "random randrange sample seed shuffle triangular uniform vonmisesvariate "
            "weibullvariate",
        )
        | names(
            "numpy.random",
            "choice normal permutation rand randint randn random seed shuffle uniform",
        ),
        verb="gives something else in every replay",
        instead=_use_random,
    ),
    Forbidden(
        IDENTIFIERS,
        names("uuid", "uuid1 uuid4 uuid6 uuid7 getnode") | names("os", "urandom getrandom"),
        packages=("secrets",),
        verb="gives something else in every replay",
        instead=_use_identifier,
    ),
    Forbidden(
        ENVIRONMENT,
        names(
            "os",
            "getenv getenvb putenv unsetenv getcwd getcwdb getpid getppid getlogin getuid uname "
            "cpu_count getloadavg",
        )
        | names("socket", "gethostname getfqdn")
        | names("getpass", "getuser"),
        packages=("platform",),
        values=names("os", "environ environb") | names("sys", "argv"),
        verb="is not the same on every worker and after every deployment",
    ),
    Forbidden(
        FILES,
        names("builtins", "open input")
        | names("io", "open open_code FileIO")
        | names(
            "os",
            "open read write close listdir scandir walk mkdir makedirs remove removedirs unlink "
            "rename renames replace rmdir stat lstat access chmod chown link symlink readlink "
            "truncate utime chdir",
        )
        | names("os.path", "exists isfile isdir islink getsize getmtime getctime realpath")
        | names(
            "pathlib.Path",
            "chmod cwd exists expanduser glob hardlink_to home is_dir is_file is_symlink iterdir "
            "lstat mkdir open owner read_bytes read_text readlink rename replace resolve rglob "
            "rmdir stat symlink_to touch unlink walk write_bytes write_text",
        )
        | names("glob", "glob iglob")
        | names("sqlite3", "connect")
        | names("io.TextIOWrapper", "read readline readlines write writelines close")
        | names("sqlalchemy", "create_engine")
        | names("sqlalchemy.ext.asyncio", "create_async_engine")
        | names("aiofiles", "open")
        | names("aiosqlite", "connect")
        | names("asyncpg", "connect create_pool")
        | names("psycopg", "connect")
        | names("psycopg2", "connect")
        | frozenset(_DATABASES),
        packages=("shutil", "tempfile", *_DATABASES),
        verb="touches the world outside, again in every replay",
    ),
    Forbidden(
        NETWORK,
        names(
            "socket",
            "create_connection create_server getaddrinfo gethostbyname socketpair gethostbyaddr",
        )
        | names("asyncio", "open_connection open_unix_connection start_server start_unix_server")
        | names(
            "asyncio.AbstractEventLoop",
            "create_connection create_server create_datagram_endpoint create_unix_connection "
            "getaddrinfo sock_connect",
        )
        | names("urllib.request", "urlopen urlretrieve build_opener")
        | names("boto3", "client resource session.Session Session")
        | names("httpx", _HTTP_METHODS + " stream")
        | names("redis", "from_url")
        | names("requests", _HTTP_METHODS + " session")
        | names("urllib3", "request")
        | names("websockets", "connect serve")
        | frozenset(_NETWORK_CLIENTS),
        packages=_NETWORK_CLIENTS,
        verb="uses the network, again in every replay",
        instead=lambda origin: (
            "Use the context for what concerns other workflows, or call the client in an activity."
            if origin.startswith("sched_sdk.")
            else ""
        ),
    ),
    Forbidden(
        PROCESSES,
        names(
            "os",
            "system popen fork forkpty kill killpg execv execve execvp execvpe execl execle execlp "
            "posix_spawn posix_spawnp spawnl spawnle spawnlp spawnv spawnve spawnvp abort _exit",
        )
        | names("asyncio", "create_subprocess_exec create_subprocess_shell")
        | names("asyncio.AbstractEventLoop", "subprocess_exec subprocess_shell"),
        packages=("multiprocessing", "subprocess"),
        verb="runs another process, again in every replay",
    ),
    Forbidden(
        THREADS,
        names(
            "threading",
            "Thread Timer Barrier BoundedSemaphore Condition Event Lock RLock Semaphore",
        )
        | names("asyncio", "to_thread run run_coroutine_threadsafe new_event_loop Runner")
        | names(
            "asyncio.AbstractEventLoop",
            "run_in_executor run_until_complete run_forever add_signal_handler add_reader "
            "add_writer call_soon_threadsafe",
        )
        | names("queue", "Queue LifoQueue PriorityQueue SimpleQueue")
        | names("concurrent.futures", "ThreadPoolExecutor ProcessPoolExecutor wait as_completed")
        | names("signal", "signal alarm setitimer pause")
        | names("anyio.to_thread", "run_sync")
        | names("_thread", "start_new_thread")
        | {"asgiref.sync.sync_to_async", "asgiref.sync.async_to_sync", "anyio.run", "trio.run"},
        verb="leaves the workflow's own loop, whose order alone replay can repeat",
        instead=_use_asyncio,
    ),
)


def check(code: Code) -> Iterator[Problem]:
    """What touches a world that replay cannot repeat."""
    yield from forbidden_names(code, _LISTS)
    for call in code.calls_in():
        origin = code.origin(call.func)
        limit = _CLOCK_WITHOUT_ARGUMENT.get(origin)
        if limit is not None and len(call.args) + len(call.keywords) <= limit:
            message = (
                f"{ast.unparse(call.func)}() reads the clock, which shows another time in replay"
            )
            yield Problem(CLOCK, call, message)
        elif origin in ("random.Random", "numpy.random.default_rng") and not (
            call.args or call.keywords
        ):
            message = f"{ast.unparse(call)} without a seed gives something else in every replay"
            yield Problem(CHANCE, call, message)
