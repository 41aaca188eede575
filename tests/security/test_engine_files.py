"""Files that an engine is given: what it refuses to start with, and in which words."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from sched_server.errors import EngineSettingsError
from tests.security.conftest import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.security.certificates import Certificates
    from tests.security.conftest import Serve


async def refusal(serve: Serve, **settings: str) -> str:
    with pytest.raises(EngineSettingsError) as caught:
        async with serve(**settings):
            pass
    return str(caught.value)


async def test_certificates_that_cannot_be_used(
    certs: Certificates, serve: Serve, tmp_path: Path
) -> None:
    garbage, missing = tmp_path / "garbage", tmp_path / "missing"
    garbage.write_bytes(b"\xff\x00")
    cert, key = certs.engine.cert, certs.engine.key
    said = [
        ({"tls_cert": cert}, "--tls-cert and --tls-key go together"),
        ({"tls_client_ca": certs.ca}, "--tls-client-ca goes with --tls-cert"),
        (
            {"tls_cert": str(missing), "tls_key": key},
            f"the certificate {missing} cannot be read: No",
        ),
        ({"tls_cert": cert, "tls_key": str(tmp_path)}, f"the key {tmp_path} cannot be read: Is a"),
        ({"tls_cert": str(garbage), "tls_key": key}, f"{garbage} is no certificate in PEM"),
        ({"tls_cert": key, "tls_key": key}, f"{key} is no certificate in PEM"),
        ({"tls_cert": cert, "tls_key": str(garbage)}, f"{garbage} is no key in PEM"),
        (
            {"tls_cert": cert, "tls_key": certs.client.key},
            f"the key {certs.client.key} does not belong to the certificate {cert}",
        ),
        (
            {"tls_cert": cert, "tls_key": key, "tls_client_ca": str(garbage)},
            f"{garbage} is no certificate in PEM",
        ),
    ]
    for settings, words in said:
        assert words in await refusal(serve, **settings)


async def test_tokens_that_cannot_be_used(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    assert f"the token file {file} cannot be read: No such" in await refusal(
        serve, token_file=str(file)
    )
    for text, words in (
        ("\n\n", "is empty. It has one a line"),
        (f"{TOKEN}\nsecret with spaces\n", f"line 2 of {file} has spaces"),
        ("secret-secret-secret\x0b", f"line 1 of {file} has spaces, control characters"),
        (f"{TOKEN}\n\nsecret-15-chars\n", f"line 3 of {file} has 15 characters; it needs 16"),
    ):
        file.write_text(text)
        message = await refusal(serve, token_file=str(file))
        assert words in message
        assert "secret" not in message


async def test_tokens_do_not_leave_the_machine_in_plain_text(
    certs: Certificates, serve: Serve, token_file: str
) -> None:
    message = await refusal(serve, token_file=token_file, host="0.0.0.0")
    assert "an engine that asks for tokens and listens on 0.0.0.0 needs TLS" in message
    assert TOKEN not in message
    engine = certs.engine
    async with serve(
        token_file=token_file, host="0.0.0.0", tls_cert=engine.cert, tls_key=engine.key
    ):
        pass


async def test_a_certificate_that_has_expired_is_warned_of(
    certs: Certificates, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    for files, warnings in ((certs.engine, 0), (certs.expired, 1)):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "sched.engine"):
            async with serve(tls_cert=files.cert, tls_key=files.key):
                pass
        assert len([each for each in caplog.messages if "has expired" in each]) == warnings
