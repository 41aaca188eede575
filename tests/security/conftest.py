from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sched_server import EngineServer, EngineSettings
from tests.security import certificates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.security.certificates import Certificates

    Serve = Callable[..., AbstractAsyncContextManager[str]]

OLD_TOKEN = "old-token-0123456789abcdef"
TOKEN = "new-token-fedcba9876543210"


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    """Of an engine whose tokens are being changed."""
    file = tmp_path / "tokens"
    file.write_text(f"{OLD_TOKEN}\n\n{TOKEN}\n")
    return str(file)


@pytest.fixture
def serve() -> Serve:
    """Runs an engine with these settings; it gives the address."""

    @asynccontextmanager
    async def run(**settings: Any) -> AsyncIterator[str]:
        server = EngineServer(EngineSettings(**({"db": ":memory:", "port": 0} | settings)))
        await server.start()
        try:
            yield server.address
        finally:
            await server.stop(0)

    return run
