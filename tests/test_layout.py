"""Who may import whom.

    sched_cli     → sched_sdk; sched_server only inside functions, so that
                    client commands start fast
    sched_server  → sched_sdk.api
    sched_sdk     → neither (sched_sdk.testing may load the server, lazily, and
                    sched_sdk.pytest_plugin the reports of the command line)

    in sched_server:   server → rpc → engine, worker_link, … → core, codec, ports
                       core → nothing of ours outside core
                       a database driver only in its adapter

Imports for type checkers count: a name that may not be imported may not be
depended on either.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import spreading

ROOT = Path(__file__).resolve().parent.parent
OURS = ("sched_cli", "sched_sdk", "sched_server")


class Import(NamedTuple):
    module: str
    """Who imports."""
    target: str
    """What: a module, or a name in one."""
    line: int
    lazy: bool
    """Inside a function."""
    types_only: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imports_of(path: Path) -> list[Import]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if is_package else parts)
    package = module if is_package else module.rpartition(".")[0]
    found: list[Import] = []

    def visit(node: ast.AST, *, lazy: bool, types_only: bool) -> None:
        for child in ast.iter_child_nodes(node):
            inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            typing_block = types_only or (
                isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            )
            if isinstance(child, ast.Import):
                targets = [alias.name for alias in child.names]
            elif isinstance(child, ast.ImportFrom):
                base = package.split(".")[: len(package.split(".")) - max(child.level - 1, 0)]
                prefix = ".".join(base) + "." if child.level else ""
                origin = (prefix + (child.module or "")).rstrip(".")
                targets = [f"{origin}.{alias.name}" for alias in child.names]
            else:
                visit(child, lazy=inside, types_only=typing_block)
                continue
            found.extend(Import(module, t, child.lineno, lazy, types_only) for t in targets)

    visit(ast.parse(path.read_text(encoding="utf-8")), lazy=False, types_only=False)
    return found


def imports(package: str) -> list[Import]:
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths, f"no package {package}"
    return [item for path in paths for item in imports_of(path)]


def forbidden(found: list[Import]) -> list[str]:
    return [str(item) for item in found]


@pytest.fixture(scope="module")
def server() -> list[Import]:
    return imports("sched_server")


@pytest.fixture(scope="module")
def sdk() -> list[Import]:
    return imports("sched_sdk")


@pytest.fixture(scope="module")
def cli() -> list[Import]:
    return imports("sched_cli")


def test_the_sdk_knows_neither_server_nor_cli(sdk: list[Import]) -> None:
    assert not forbidden(
        [
            item
            for item in sdk
            if within(item.target, "sched_server", "sched_cli")
            and not (_may_load(item) and (item.lazy or item.types_only))
        ]
    )


def _may_load(item: Import) -> bool:
    """What is for tests of users stands above both."""
    if within(item.module, "sched_sdk.pytest_plugin"):
        return within(item.target, "sched_cli")
    return within(item.module, "sched_sdk.testing")


def test_the_server_knows_only_the_api_of_the_sdk(server: list[Import]) -> None:
    assert not forbidden(
        [
            item
            for item in server
            if within(item.target, *OURS)
            and not within(item.target, "sched_server", "sched_sdk.api")
        ]
    )


def test_the_cli_loads_the_server_only_when_it_runs_one(cli: list[Import]) -> None:
    assert not forbidden(
        [
            item
            for item in cli
            if within(item.target, "sched_server") and not (item.lazy or item.types_only)
        ]
    )


def test_the_core_knows_nothing_of_ours(server: list[Import]) -> None:
    assert not forbidden(
        [
            item
            for item in server
            if within(item.module, "sched_server.core")
            and within(item.target, *OURS)
            and not within(item.target, "sched_server.core")
        ]
    )


def test_the_core_has_no_clock_no_chance_and_no_outside(server: list[Import]) -> None:
    impure = ("asyncio", "datetime", "grpc", "logging", "os", "random", "secrets", "threading")
    assert not forbidden(
        [
            item
            for item in server
            if within(item.module, "sched_server.core")
            and within(item.target, *impure, "socket", "time", "uuid")
        ]
    )


def test_ports_know_no_adapter_and_no_engine(server: list[Import]) -> None:
    ports = (
        "sched_server.store.port",
        "sched_server.queue.port",
        "sched_server.leadership.port",
    )
    assert not forbidden(
        [
            item
            for item in server
            if item.module in ports
            and within(item.target, *OURS)
            and not within(item.target, *ports)
        ]
    )


def test_only_the_server_chooses_adapters(server: list[Import]) -> None:
    """Everything else works with the ports."""
    adapters = [
        f"sched_server.{folder.name}.{entry.stem}"
        for folder in (ROOT / "sched_server" / port for port in ("store", "queue", "leadership"))
        for entry in folder.iterdir()
        if entry.stem not in ("__init__", "__pycache__", "port", "migration")
    ]
    assert "sched_server.store.sqlite" in adapters
    assert not forbidden(
        [
            item
            for item in server
            if within(item.target, *adapters)
            and item.module != "sched_server.backend"
            and not within(item.module, *adapters)
        ]
    )


def test_the_engine_knows_no_transport(server: list[Import]) -> None:
    assert not forbidden(
        [
            item
            for item in server
            if within(item.target, "grpc", "sched_server.rpc")
            and not within(item.module, "sched_server.rpc", "sched_server.server")
        ]
    )


def test_tracing_is_loaded_only_where_it_is_on(
    server: list[Import], sdk: list[Import], cli: list[Import]
) -> None:
    loaders = ("sched_sdk._spans", "sched_server.observability.otlp")
    assert not forbidden(
        [
            item
            for item in server + sdk + cli
            if within(item.target, *loaders, "sched_server.observability.tracing")
            and not within(item.module, "sched_server.observability.tracing")
            and not (item.lazy or item.types_only)
        ]
    )


@pytest.mark.parametrize(
    ("driver", "homes"),
    [
        ("sqlite3", ["sched_server.store.sqlite"]),
        (
            "psycopg",
            [
                "sched_server.store.postgres",
                "sched_server.leadership.postgres",
                "sched_server.leadership.postgres_observer",
            ],
        ),
        ("psycopg_pool", ["sched_server.store.postgres"]),
        ("redis", ["sched_server.queue.redis"]),
        (
            "opentelemetry",
            [
                "sched_sdk._spans",
                "sched_server.observability.otlp",
                "sched_server.observability.tracing",
            ],
        ),
    ],
)
def test_a_driver_is_known_only_to_its_adapter(
    driver: str, homes: list[str], server: list[Import], sdk: list[Import], cli: list[Import]
) -> None:
    assert not forbidden(
        [
            item
            for item in server + sdk + cli
            if within(item.target, driver) and not within(item.module, *homes)
        ]
    )


# ---------------------------------------------------------------- the reader itself


def test_imports_are_read_as_python_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    folder = tmp_path / "sched_x" / "sub"
    folder.mkdir(parents=True)
    (folder / "one.py").write_text(
        "import a.b\n"
        "from . import two\n"
        "from ..other import thing\n"
        "if TYPE_CHECKING:\n    from c import d\n"
        "def f():\n    import e\n"
    )
    (folder / "__init__.py").write_text("from .one import f\n")

    found = {(x.target, x.lazy, x.types_only) for x in imports_of(folder / "one.py")}

    assert found == {
        ("a.b", False, False),
        ("sched_x.sub.two", False, False),
        ("sched_x.other.thing", False, False),
        ("c.d", False, True),
        ("e", True, False),
    }
    assert imports_of(folder / "__init__.py")[0].target == "sched_x.sub.one.f"


def test_the_files_that_are_run_first_are_there() -> None:
    assert [file for file in spreading.SECONDS if not (ROOT / file).is_file()] == []
