"""`sched config`: named profiles, so that nobody types addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sched_cli import completion
from sched_cli.options import DEFAULT_ENGINE, OutputFormat, OutputOption
from sched_cli.parser import add, examples, noun

if TYPE_CHECKING:
    from sched_cli.profile_file import Profiles

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE",
        help="The profile's name.",
        autocompletion=completion.profile_names,
    ),
]


_TLS_KEYS = ("tls_ca", "tls_cert", "tls_key", "tls_server_name")


def _option(name: str, metavar: str, text: str) -> Any:
    return typer.Option(
        f"--{name}",
        metavar=metavar,
        envvar=f"SCHED_PROFILE_{name.upper().replace('-', '_')}",
        show_default=False,
        help=text,
    )


def build_commands() -> typer.Typer:
    """The commands of the noun."""
    app = noun("Name engines, and choose the one that commands talk to.")
    add(app, "list", list_profiles)
    add(app, "show", show)
    add(app, "set", set_profile)
    add(app, "use", use)
    add(app, "unset", unset)
    return app


@examples(
    "sched config list",
    "sched config list --output json",
)
def list_profiles(output: OutputOption = OutputFormat.TABLE) -> None:
    """List the profiles, and which one is in use."""
    from sched_cli.profile_file import read
    from sched_cli.profiles import path
    from sched_cli.render import console

    found = read(path())
    rows = [
        {"name": name, "engine": profile.engine, "in_use": name == found.in_use}
        for name, profile in found.profiles.items()
    ]
    if output is not OutputFormat.TABLE:
        _print(rows, output)
        return
    if not rows:
        console.hint("There are no profiles. Make one: sched config set NAME --address HOST:PORT")
        return
    from sched_cli.render.tables import Column, Cut, FittedTable

    table = FittedTable(
        Column(title=""),
        Column(title="PROFILE", cut=Cut.MIDDLE),
        Column(title="ENGINE", cut=Cut.END, least=20),
    )
    for row in rows:
        table.add("*" if row["in_use"] else "", str(row["name"]), str(row["engine"]))
    console.data().print(table)


@examples(
    "sched config show",
    "sched config show --profile prod",
)
def show(output: OutputOption = OutputFormat.TABLE) -> None:
    """Show which engine commands talk to, how, and who says so. Tokens are not shown."""
    import os
    import sys

    from sched_cli import profiles
    from sched_cli.profile_file import warn_if_open
    from sched_sdk._access import access_of

    file = profiles.path()
    choice = profiles.choose(profiles.typed)
    environment = profiles.environment_with(choice, os.environ)
    if choice.settings is not None and choice.settings.token:
        warn_if_open(file)
    # Neither does it ask whether the files can be read.
    token, token_file = environment.get("SCHED_TOKEN"), environment.get("SCHED_TOKEN_FILE", "")
    tls = access_of({**environment, "SCHED_TOKEN": "", "SCHED_TOKEN_FILE": ""}).tls
    told = {
        "engine": choice.engine or DEFAULT_ENGINE,
        "profile": choice.profile,
        "source": choice.source,
        "file": str(file),
        "file_exists": file.exists(),
        "tls": tls is not None,
        "tls_ca": str(tls.ca_file or "") if tls else "",
        "tls_cert": str(tls.cert_file or "") if tls else "",
        "tls_key": str(tls.key_file or "") if tls else "",
        "tls_server_name": (tls.server_name or "") if tls else "",
        "token": "***" if token else "",
        "token_file": "" if token else token_file,
    }
    if output is not OutputFormat.TABLE:
        _print(told, output)
        return
    named = f" (profile {choice.profile})" if choice.profile else ""
    there = "" if told["file_exists"] else " (not there)"
    lines = [
        f"engine  {told['engine']}{named}",
        f"from    {choice.source}",
        f"file    {file}{there}",
    ]
    if tls is not None:
        words = [f"{key[4:]} {told[key]}" for key in _TLS_KEYS if told[key]]
        lines.append(f"tls     {', '.join(words) or 'yes'}")
    if token or token_file:
        lines.append(f"token   {'***' if token else f'of {token_file}'}")
    sys.stdout.write("\n".join([*lines, ""]))


@examples(
    "sched config set prod --address engine-a.example:50051,engine-b.example:50051",
    "sched config set here --address localhost:50051",
    "sched config set prod --tls-ca ca.pem --token-file prod-token",
)
def set_profile(
    name: NameArgument,
    address: Annotated[
        str,
        _option("address", "HOST:PORT[,…]", "Where the engine is; several for replicas."),
    ] = "",
    tls: Annotated[
        bool | None,
        typer.Option(
            "--tls/--no-tls",
            envvar="SCHED_PROFILE_TLS",
            show_default=False,
            help="Talk to it by TLS; the other --tls options turn it on, too.",
        ),
    ] = None,
    tls_ca: Annotated[
        str, _option("tls-ca", "FILE", "The CA that signed the engine's certificate.")
    ] = "",
    tls_cert: Annotated[
        str, _option("tls-cert", "FILE", "The certificate that shows who calls.")
    ] = "",
    tls_key: Annotated[str, _option("tls-key", "FILE", "The key that belongs to it.")] = "",
    tls_server_name: Annotated[
        str, _option("tls-server-name", "NAME", "The engine's certificate is for this name.")
    ] = "",
    token_file: Annotated[
        str, _option("token-file", "FILE", "The token to show is in this file.")
    ] = "",
) -> None:
    """Make a profile, or change what is said of one.

    A token itself, token = "…", is written into the file by hand; let nobody else read it.
    """
    from dataclasses import replace
    from pathlib import Path

    from sched_cli import profiles
    from sched_cli.errors import UsageError
    from sched_cli.profile_file import FILES, Profile, check_name, read, write
    from sched_cli.render import console
    from sched_sdk._client.addresses import parse_addresses

    file = profiles.path()
    found = read(file)
    before = found.profiles.get(check_name(name))
    if before is None and not address:
        raise UsageError(f"Profile {name} is new: say where the engine is, --address HOST:PORT.")
    said: dict[str, Any] = {
        "engine": ",".join(parse_addresses(address)) if address else "",
        "tls_ca": tls_ca,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "tls_server_name": tls_server_name,
        "token_file": token_file,
    }
    said = {key: value for key, value in said.items() if value}
    said |= {key: str(Path(said[key]).expanduser().absolute()) for key in FILES if key in said}
    if tls is not None:
        said["tls"] = tls
    profile = replace(before or Profile(said["engine"]), **said)
    if problem := profile.problem():
        raise UsageError(f"{problem[0]} of profile {name} cannot be used: {problem[1]}.")
    found.profiles[name] = profile
    write(file, found)
    console.say(f"Profile {name}: {profile.engine}")
    if found.in_use != name:
        console.hint(f"To use it always: sched config use {name}; once: --profile {name}")


@examples(
    "sched config use prod",
    "sched config use here",
)
def use(name: NameArgument) -> None:
    """Let commands talk to this profile's engine from now on."""
    from sched_cli.profile_file import write
    from sched_cli.profiles import path
    from sched_cli.render import console

    file = path()
    found = _with(name)
    found.in_use = name
    write(file, found)
    console.say(f"Commands talk to {found.profiles[name].engine} now.")


@examples(
    "sched config unset prod",
)
def unset(name: NameArgument) -> None:
    """Forget a profile."""
    from sched_cli.profile_file import write
    from sched_cli.profiles import path
    from sched_cli.render import console

    file = path()
    found = _with(name)
    del found.profiles[name]
    if found.in_use == name:
        found.in_use = ""
    write(file, found)
    console.say(f"Profile {name} is gone.")


def _with(name: str) -> Profiles:
    """The profiles, of which this is one. Raises UsageError."""
    from sched_cli.errors import UsageError
    from sched_cli.profile_file import read
    from sched_cli.profiles import path
    from sched_cli.suggesting import did_you_mean

    found = read(path())
    if name not in found.profiles:
        like = did_you_mean(name, found.profiles) or " See which there are: sched config list"
        raise UsageError(f"There is no profile {name!r}.{like}")
    return found


def _print(value: Any, output: OutputFormat) -> None:
    from sched_cli.render import plain

    if output is OutputFormat.JSON:
        plain.print_json(value)
    elif isinstance(value, list):
        for row in value:
            plain.print_json_line(row)
    else:
        plain.print_json_line(value)
