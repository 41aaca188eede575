"""`sched migrate up | down | status | new`: the schema of a store."""

from __future__ import annotations

from typing import Annotated

import typer

from sched_cli.options import OutputFormat, OutputOption, PostgresOption

StoreFileOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="PATH",
        envvar="SCHED_DB",
        show_default=False,
        help="The store is this SQLite file.",
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        envvar="SCHED_DRY_RUN",
        help="Print the SQL that would run, and change nothing.",
    ),
]


def build_commands() -> typer.Typer:
    """The commands of the noun."""
    app = typer.Typer(
        help="Bring the schema of a store up to date, or back.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.command("up")(up)
    app.command("down")(down)
    app.command("status")(status)
    app.command("new")(new)
    return app


def up(
    context: typer.Context,
    to: Annotated[
        int | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            min=0,
            envvar="SCHED_MIGRATE_TO",
            show_default=False,
            help="Stop at this version; the newest by default.",
        ),
    ] = None,
    dry_run: DryRunOption = False,
    postgres_dsn: PostgresOption = None,
    db: StoreFileOption = None,
) -> None:
    """Apply what is missing."""
    import asyncio

    from sched_cli import migrations

    migrator = migrations.migrator_of(context, postgres_dsn, db)
    asyncio.run(migrations.up(migrator, to, dry_run=dry_run))


def down(
    context: typer.Context,
    to: Annotated[
        int,
        typer.Option(
            "--to",
            metavar="VERSION",
            min=0,
            envvar="SCHED_MIGRATE_TO",
            show_default=False,
            help="The version to go back to; 0 takes everything away.",
        ),
    ],
    dry_run: DryRunOption = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", envvar="SCHED_YES", help="Do not ask first.")
    ] = False,
    postgres_dsn: PostgresOption = None,
    db: StoreFileOption = None,
) -> None:
    """Take migrations back; what they added is lost. No engine may use the store."""
    import asyncio

    from sched_cli import migrations

    migrator = migrations.migrator_of(context, postgres_dsn, db)
    asyncio.run(migrations.down(migrator, to, dry_run=dry_run, yes=yes))


def status(
    context: typer.Context,
    postgres_dsn: PostgresOption = None,
    db: StoreFileOption = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show what is applied, what is missing, and whether the files are the same."""
    import asyncio

    from sched_cli import migrations

    migrator = migrations.migrator_of(context, postgres_dsn, db)
    asyncio.run(migrations.show_status(migrator, output))


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What it does, in a word or two: add_tags.")
    ],
) -> None:
    """Make the files of a new migration, in a source checkout of sched."""
    from sched_cli import migrations

    migrations.make_new(name)
