"""Where the engine is: addresses as users write them."""

from __future__ import annotations

import os

from sched_sdk.errors import InvalidArgumentError

__all__ = ["DEFAULT_ADDRESS", "ENVIRONMENT_VARIABLES", "Rotation", "parse_addresses"]

DEFAULT_ADDRESS = "localhost:50051"
ENVIRONMENT_VARIABLES = ("SCHED_ENGINE_ADDRESS", "ENGINE_ADDRESS")
_DEFAULT_PORT = "50051"


def parse_addresses(address: str | None) -> tuple[str, ...]:
    """The engines named by "host:port,host:port"; the port defaults to 50051.

    None reads SCHED_ENGINE_ADDRESS, then ENGINE_ADDRESS, then takes
    localhost:50051. Raises InvalidArgumentError for what is no address.
    """
    if address is None:
        found = (os.environ.get(name) for name in ENVIRONMENT_VARIABLES)
        address = next((value for value in found if value), DEFAULT_ADDRESS)
    addresses = tuple(_parse_one(part.strip(), address) for part in address.split(","))
    return tuple(dict.fromkeys(addresses))


def _parse_one(part: str, whole: str) -> str:
    if part.startswith("unix:"):
        return part
    host, colon, port = part.rpartition(":")
    if not colon or part.endswith("]"):  # "host" or "[::1]"
        host, port = part, _DEFAULT_PORT
    bare_ipv6 = ":" in host and not (host.startswith("[") and host.endswith("]"))
    valid_port = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    if not host or "/" in host or bare_ipv6 or not valid_port:
        raise InvalidArgumentError(
            f"{part!r} is no engine address{'' if part == whole else f' (in {whole!r})'}; "
            "write host:port, for example localhost:50051, several separated by commas"
        )
    return f"{host}:{port}"


class Rotation:
    """Walks round the addresses; stays at one for as long as it serves."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self.addresses = addresses
        self._position = 0

    @property
    def current(self) -> str:
        return self.addresses[self._position]

    def advance(self) -> bool:
        """Go to the next address. True when all of them have been tried."""
        self._position = (self._position + 1) % len(self.addresses)
        return self._position == 0

    def __str__(self) -> str:
        return ", ".join(self.addresses)
