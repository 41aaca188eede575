"""Schema migrations: the files, and the plan from what is applied to what is wanted.

A migration is a pair of SQL files, `NNNN_name.up.sql` and `NNNN_name.down.sql`,
numbered from 1 without gaps. What is applied stands in the database, each with
the checksum of its up file, so a plan is a pure function:

    known files, applied rows, target version -> steps

Adapters execute the steps, each in a transaction of its own together with the
row that records it.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from sched_server.store.port import StoreError, StoreVersionError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AppliedMigration",
    "Migration",
    "MigrationFilesError",
    "MigrationStep",
    "load_migrations",
    "migrations_directory",
    "plan_migrations",
]

_FILE_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.(?P<direction>up|down)\.sql")


class MigrationFilesError(StoreError):
    """The migration files are missing or do not fit together: a broken installation."""


class Migration(Struct, frozen=True):
    """One pair of files."""

    version: int
    name: str
    up: str
    down: str
    checksum: str
    """SHA-256 of the up file (line ends as \\n), in hexadecimal."""

    @property
    def label(self) -> str:
        """As in the file's name: "0001_initial"."""
        return f"{self.version:04d}_{self.name}"


class AppliedMigration(Struct, frozen=True):
    """One row of `schema_migrations`."""

    version: int
    name: str
    checksum: str
    applied_us: int


class MigrationStep(Struct, frozen=True):
    """Apply (`up`) or take back one migration."""

    migration: Migration
    up: bool

    @property
    def script(self) -> str:
        return self.migration.up if self.up else self.migration.down


def migrations_directory(dialect: str) -> Path:
    """Where the SQL files of a dialect ("sqlite", "postgres") are: inside the
    installed package, or in the source checkout that this file is part of."""
    store_package = Path(__file__).parent
    for root in (store_package / "migrations", store_package.parent.parent / "migrations"):
        if (root / dialect).is_dir():
            return root / dialect
    raise MigrationFilesError(
        f"The migration files for {dialect} are missing from this installation "
        f"(looked in {store_package}). Install sched again."
    )


def load_migrations(directory: Path) -> list[Migration]:
    """Every migration of a folder, in order. Raises MigrationFilesError."""
    scripts: dict[int, dict[str, tuple[str, str]]] = {}
    for path in sorted(directory.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationFilesError(
                f"{path} is not named like a migration; expected NNNN_name.up.sql or .down.sql."
            )
        pair = scripts.setdefault(int(match["version"]), {})
        if match["direction"] in pair:
            raise MigrationFilesError(f"{path}: version {match['version']} exists twice.")
        pair[match["direction"]] = (match["name"], path.read_text(encoding="utf-8"))
    return [
        _migration(directory, version, scripts) for version in _without_gaps(directory, scripts)
    ]


def _without_gaps(directory: Path, scripts: dict[int, dict[str, tuple[str, str]]]) -> list[int]:
    versions = sorted(scripts)
    if not versions or versions != list(range(1, len(versions) + 1)):
        raise MigrationFilesError(
            f"{directory} holds versions {versions}; expected 1, 2, 3 … without gaps."
        )
    return versions


def _migration(
    directory: Path, version: int, scripts: dict[int, dict[str, tuple[str, str]]]
) -> Migration:
    pair = scripts[version]
    if set(pair) != {"up", "down"} or pair["up"][0] != pair["down"][0]:
        raise MigrationFilesError(
            f"{directory}: version {version:04d} needs one .up.sql and one .down.sql "
            "of the same name."
        )
    name, up = pair["up"]
    checksum = hashlib.sha256(up.encode()).hexdigest()
    return Migration(version=version, name=name, up=up, down=pair["down"][1], checksum=checksum)


def plan_migrations(
    known: Sequence[Migration],
    applied: Sequence[AppliedMigration],
    *,
    store: str,
    target: int | None = None,
) -> list[MigrationStep]:
    """The steps from `applied` to version `target` (default: the newest known).

    `store` names the database in messages. Raises StoreVersionError if the
    store is newer than `known`, or was made by other files than these.
    """
    newest = len(known)
    current = len(applied)
    _check_applied(known, applied, store)
    wanted = newest if target is None else target
    if not 0 <= wanted <= newest:
        raise ValueError(f"There is no schema version {wanted}; known are 0 to {newest}.")
    if wanted >= current:
        return [MigrationStep(migration, up=True) for migration in known[current:wanted]]
    return [MigrationStep(migration, up=False) for migration in reversed(known[wanted:current])]


def _check_applied(
    known: Sequence[Migration], applied: Sequence[AppliedMigration], store: str
) -> None:
    newest = len(known)
    found = max((row.version for row in applied), default=0)
    if found > newest:
        raise StoreVersionError(
            f"{store} was written by a newer sched: its schema version is {found}, this one "
            f"knows up to {newest}. Upgrade sched, or use another database."
        )
    if [row.version for row in applied] != list(range(1, len(applied) + 1)):
        raise StoreVersionError(
            f"{store} lacks a migration between 1 and {found}: applied are "
            f"{[row.version for row in applied]}. Restore it from a backup, or use another "
            "database."
        )
    for migration, row in zip(known, applied, strict=False):
        if migration.checksum != row.checksum:
            raise StoreVersionError(
                f"{store} was made with another {migration.label} (checksum "
                f"{row.checksum[:12]}, here {migration.checksum[:12]}). Use the sched that made "
                "it, or another database."
            )
