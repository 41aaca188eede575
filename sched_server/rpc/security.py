"""The engine's certificate and its tokens: read, and checked, when it starts."""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from sched_server.errors import EngineSettingsError

if TYPE_CHECKING:
    from sched_server.settings import EngineSettings

__all__ = ["SHORTEST_TOKEN", "server_credentials", "tokens_of"]

logger = logging.getLogger("sched.engine")

SHORTEST_TOKEN = 16
"""Characters; shorter ones can be guessed."""
_HOW = "make one with `openssl rand -hex 32`"
_EXPIRED = 10
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED."""


def tokens_of(settings: EngineSettings) -> tuple[str, ...]:
    """What callers may show; none of it when there is no file. Raises
    EngineSettingsError, which says nothing of what stands in the file."""
    file = settings.token_file
    if not file:
        return ()
    tokens = _read_tokens(file)
    if not settings.tls_cert and not _only_loopback(settings.host):
        raise EngineSettingsError(
            f"an engine that asks for tokens and listens on {settings.host} needs TLS: without "
            "it they travel in plain text. Add --tls-cert and --tls-key, or listen on 127.0.0.1"
        )
    return tokens


def _read_tokens(file: str) -> tuple[str, ...]:
    # At ends of lines only: what else splits a text would be part of a token.
    lines = _read(file, "token file").split(b"\n")
    tokens = []
    for number, line in enumerate(lines, start=1):
        token = line.removesuffix(b"\r")
        if not token:
            continue
        if not all(0x21 <= byte <= 0x7E for byte in token):
            raise EngineSettingsError(
                f"the token in line {number} of {file} has spaces, control characters or letters "
                f"beyond ASCII; {_HOW}"
            )
        if len(token) < SHORTEST_TOKEN:
            raise EngineSettingsError(
                f"the token in line {number} of {file} has {len(token)} characters; it needs "
                f"{SHORTEST_TOKEN}. For example, {_HOW}"
            )
        tokens.append(token.decode())
    if not tokens:
        raise EngineSettingsError(f"the token file {file} is empty. It has one a line; {_HOW}")
    return tuple(tokens)


def _only_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return False
    # Scoped addresses have their interface behind a percent sign.
    addresses = [str(address[0]).partition("%")[0] for *_, address in found]
    return all(ipaddress.ip_address(address).is_loopback for address in addresses)


def server_credentials(settings: EngineSettings) -> grpc.ServerCredentials | None:
    """What the engine shows callers, and asks of them; None for plain text. Raises
    EngineSettingsError; warns of a certificate that has expired."""
    certificate, key, client_ca = settings.tls_cert, settings.tls_key, settings.tls_client_ca
    if not certificate and not key:
        if client_ca:
            raise EngineSettingsError(
                "--tls-client-ca goes with --tls-cert and --tls-key, the engine's own"
            )
        return None
    if not certificate or not key:
        raise EngineSettingsError(
            "--tls-cert and --tls-key go together: the certificate, and the key that belongs to it"
        )
    pair = _read(key, "key"), _read(certificate, "certificate")
    roots = _read(client_ca, "CA certificate") if client_ca else None
    _check_certificates(certificate, pair[1])
    _check_key(certificate, key)
    if roots is not None:
        _check_certificates(client_ca, roots)
    return grpc.ssl_server_credentials([pair], roots, require_client_auth=roots is not None)


def _read(file: str, what: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise EngineSettingsError(f"the {what} {file} cannot be read: {error.strerror}") from error


def _check_certificates(file: str, pem: bytes) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode())
    except (ssl.SSLError, UnicodeDecodeError, ValueError):
        raise EngineSettingsError(
            f"{file} is no certificate in PEM (-----BEGIN CERTIFICATE-----)"
        ) from None


def _check_key(certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            problem = f"the key {key} does not belong to the certificate {certificate}"
        else:
            problem = f"{key} is no key in PEM without a password (-----BEGIN PRIVATE KEY-----)"
        raise EngineSettingsError(problem) from None
    if _has_expired(context, certificate):
        logger.warning(
            "the certificate %s has expired: nobody will trust this engine; renew it, and start "
            "the engine again",
            certificate,
        )


def _has_expired(ours: ssl.SSLContext, certificate: str) -> bool:
    """As somebody finds out who trusts the certificate itself, in a handshake in memory."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname = False
    theirs.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    theirs.load_verify_locations(certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = theirs.wrap_bio(back, there)
    server = ours.wrap_bio(there, back, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_code == _EXPIRED
        except ssl.SSLError:
            return False
    return False
