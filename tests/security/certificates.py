"""Certificates for tests: a CA, what it signed, and what nobody did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import trustme

from sched_sdk import TLS

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificate:
    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files."""

    ca: str
    engine: Certificate
    """For localhost and 127.0.0.1."""
    elsewhere: Certificate
    """For engine.example."""
    expired: Certificate
    client: Certificate
    other_ca: str
    other_client: Certificate
    """Of the other CA."""

    @property
    def tls(self) -> TLS:
        """Trusts the engine."""
        return TLS(ca_file=self.ca)


def make(folder: Path) -> Certificates:
    def authority(name: str) -> tuple[trustme.CA, str]:
        ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        ca.cert_pem.write_to_path(str(folder / name))
        return ca, str(folder / name)

    def issued(ca: trustme.CA, name: str, *names: str, over: bool = False) -> Certificate:
        times = (datetime(2019, 1, 1), datetime(2020, 1, 1)) if over else (None, None)  # noqa: DTZ001 - as it takes them
        cert = ca.issue_cert(
            *names, key_type=trustme.KeyType.ECDSA, not_before=times[0], not_after=times[1]
        )
        files = Certificate(str(folder / f"{name}.pem"), str(folder / f"{name}.key"))
        for number, pem in enumerate(cert.cert_chain_pems):
            pem.write_to_path(files.cert, append=number > 0)
        cert.private_key_pem.write_to_path(files.key)
        return files

    ca, ca_file = authority("ca.pem")
    other, other_file = authority("other-ca.pem")
    return Certificates(
        ca=ca_file,
        engine=issued(ca, "engine", "localhost", "127.0.0.1"),
        elsewhere=issued(ca, "elsewhere", "engine.example"),
        expired=issued(ca, "expired", "localhost", "127.0.0.1", over=True),
        client=issued(ca, "client", "worker@example.org"),
        other_ca=other_file,
        other_client=issued(other, "other-client", "worker@example.org"),
    )
