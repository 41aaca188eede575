"""What a caller's files mean to gRPC."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from sched_sdk.errors import InvalidArgumentError

if TYPE_CHECKING:
    from sched_sdk._access import TLS, Access

__all__ = ["credentials_of", "name_options"]


def name_options(access: Access) -> tuple[tuple[str, str], ...]:
    """The channel's option for a certificate of another name than the address's."""
    name = None if access.tls is None else access.tls.server_name
    return () if name is None else (("grpc.ssl_target_name_override", name),)


def credentials_of(tls: TLS) -> grpc.ChannelCredentials:
    """Raises InvalidArgumentError, which names the file that cannot be used."""
    if (tls.cert_file is None) != (tls.key_file is None):
        raise InvalidArgumentError(
            "TLS takes cert_file and key_file together: the certificate, and the key that "
            "belongs to it"
        )
    roots = None
    if tls.ca_file is not None:
        roots = _read(tls.ca_file, "CA certificate")
        _check_roots(tls.ca_file, roots)
    elif (system := ssl.get_default_verify_paths().cafile) and os.access(system, os.R_OK):
        roots = Path(system).read_bytes()  # gRPC has roots of its own, for systems without
    if tls.cert_file is None or tls.key_file is None:
        return grpc.ssl_channel_credentials(roots)
    certificate, key = _read(tls.cert_file, "certificate"), _read(tls.key_file, "key")
    _check_pair(tls.cert_file, tls.key_file)
    return grpc.ssl_channel_credentials(roots, key, certificate)


def _read(file: str | Path, what: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InvalidArgumentError(f"the {what} {file} cannot be read: {error.strerror}") from error


def _check_roots(file: str | Path, pem: bytes) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode())
    except (ssl.SSLError, UnicodeDecodeError, ValueError):
        raise InvalidArgumentError(
            f"{file} has no certificate in PEM (-----BEGIN CERTIFICATE-----)"
        ) from None


def _check_pair(certificate: str | Path, key: str | Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, lambda: "")
    except (ssl.SSLError, ValueError):
        raise InvalidArgumentError(
            f"the key {key} does not belong to the certificate {certificate}, or one of them is "
            "not in PEM, or the key has a password"
        ) from None
