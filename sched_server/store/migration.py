"""Schema migrations: the files, and the plan from what is applied to what is wanted.

A migration is a pair of SQL files, `NNNN_name.up.sql` and `NNNN_name.down.sql`,
numbered from 1 without gaps. What is applied stands in the database, each with
the checksum of its up file, so a plan is a pure function:

    known files, applied rows, target version -> steps

Adapters execute the steps, each in a transaction of its own together with the
row that records it; `Migrator` is what they offer to whoever asks for that.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from sched_server.store.port import StoreError, StoreVersionError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AppliedMigration",
    "Migration",
    "MigrationFailedError",
    "MigrationFilesError",
    "MigrationLine",
    "MigrationState",
    "MigrationStatus",
    "MigrationStep",
    "Migrator",
    "load_migrations",
    "migrations_directory",
    "plan_migrations",
    "survey_migrations",
]

_FILE_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.(?P<direction>up|down)\.sql")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_DROPPED_TABLE = re.compile(
    r'^\s*DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?"?(\w+)', re.IGNORECASE | re.MULTILINE
)
_DROPPED_COLUMN = re.compile(
    r'^\s*ALTER\s+TABLE\s+"?(\w+)"?\s+DROP\s+COLUMN\s+(?:IF\s+EXISTS\s+)?"?(\w+)',
    re.IGNORECASE | re.MULTILINE,
)


class MigrationFilesError(StoreError):
    """The migration files are missing or do not fit together: a broken installation."""


class MigrationFailedError(StoreError):
    """The database refused a script; nothing of that migration is in the store."""

    def __init__(self, step: MigrationStep, store: str, reason: str) -> None:
        super().__init__(
            f"{step.file_name} failed on {store} and was rolled back: {reason.rstrip('.')}. "
            "Correct the file, or the database, and run `sched migrate status`."
        )


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

    @property
    def file_name(self) -> str:
        """ "0001_initial.down.sql"."""
        return f"{self.migration.label}.{'up' if self.up else 'down'}.sql"

    @property
    def dropped_tables(self) -> list[str]:
        """The tables whose contents are lost with this step."""
        return _DROPPED_TABLE.findall(_COMMENT.sub("", self.script))

    @property
    def dropped_columns(self) -> list[str]:
        """The columns that are lost with this step, "table.column"."""
        found = _DROPPED_COLUMN.findall(_COMMENT.sub("", self.script))
        return [f"{table}.{column}" for table, column in found]


class MigrationState(StrEnum):
    """How one migration stands in one store."""

    APPLIED = "applied"
    PENDING = "pending"
    EDITED = "edited"
    """Applied, and the up file is not what it was."""
    MISSING = "missing"
    """Applied, and there is no such file here."""


class MigrationLine(Struct, frozen=True):
    """One migration, as people look at it."""

    version: int
    name: str
    state: MigrationState
    applied_us: int = 0
    """0: not applied."""


class MigrationStatus(Struct, frozen=True):
    """What is applied to a store, and what is not."""

    store: str
    lines: list[MigrationLine]
    problem: str = ""
    """Why nothing can be applied or taken back; empty when all is well."""

    @property
    def version(self) -> int:
        """The version of the schema; 0: there is none."""
        return max((line.version for line in self.lines if line.applied_us), default=0)

    @property
    def pending(self) -> list[MigrationLine]:
        return [line for line in self.lines if line.state is MigrationState.PENDING]


class Migrator(ABC):
    """Looks after the schema of one store. Every method raises StoreError."""

    def __init__(self, description: str, known: Sequence[Migration]) -> None:
        self.description = description
        """The store for people, without secrets."""
        self._known = known

    async def status(self) -> MigrationStatus:
        """Look, without changing anything."""
        return survey_migrations(self._known, await self._applied(), store=self.description)

    async def plan(self, target: int | None = None) -> list[MigrationStep]:
        """The steps to version `target` (default: the newest known), without
        taking them. Raises ValueError for a target that does not exist."""
        applied = await self._applied()
        return plan_migrations(self._known, applied, store=self.description, target=target)

    @abstractmethod
    async def migrate(self, target: int | None = None) -> list[MigrationStep]:
        """Take the steps, each in a transaction, while no other program
        migrates this store. Returns them."""

    @abstractmethod
    async def count_rows(self, tables: Sequence[str]) -> dict[str, int]:
        """How many rows each of these tables has."""

    @abstractmethod
    async def check_unused(self) -> None:
        """Raises StoreLockedError, which names them, if engines use the store."""

    @abstractmethod
    async def _applied(self) -> list[AppliedMigration]:
        """What the store says was applied to it, in order."""


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
    store is newer than `known`, or was made by other files than these, and
    MigrationFilesError if a step is not written yet.
    """
    newest = len(known)
    current = len(applied)
    _check_applied(known, applied, store)
    wanted = newest if target is None else target
    if not 0 <= wanted <= newest:
        raise ValueError(f"There is no schema version {wanted}; known are 0 to {newest}.")
    if wanted >= current:
        steps = [MigrationStep(migration, up=True) for migration in known[current:wanted]]
    else:
        steps = [
            MigrationStep(migration, up=False) for migration in reversed(known[wanted:current])
        ]
    for step in steps:
        if not _COMMENT.sub("", step.script).strip():
            raise MigrationFilesError(
                f"{step.file_name} holds no statement. Write it; SELECT 1; does nothing on purpose."
            )
    return steps


def survey_migrations(
    known: Sequence[Migration], applied: Sequence[AppliedMigration], *, store: str
) -> MigrationStatus:
    """Every migration that is known or applied, and whether they fit together."""
    rows = {row.version: row for row in applied}
    names = {row.version: row.name for row in applied} | {file.version: file.name for file in known}
    files = {file.version: file for file in known}
    lines = [
        MigrationLine(
            version=version,
            name=names[version],
            state=_state(files.get(version), rows.get(version)),
            applied_us=rows[version].applied_us if version in rows else 0,
        )
        for version in sorted(names)
    ]
    try:
        _check_applied(known, applied, store)
    except StoreVersionError as error:
        return MigrationStatus(store, lines, str(error))
    return MigrationStatus(store, lines)


def _state(file: Migration | None, row: AppliedMigration | None) -> MigrationState:
    if row is None:
        return MigrationState.PENDING
    if file is None:
        return MigrationState.MISSING
    if file.checksum != row.checksum:
        return MigrationState.EDITED
    return MigrationState.APPLIED


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
