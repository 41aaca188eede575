"""How commands get in where an engine asks for more than its address: TLS and a token.

The options belong to every command that has --engine, and become variables: the SDK
reads them, and so does whatever this command starts. A token is never typed, since
others see the arguments of a process.
"""

from __future__ import annotations

import functools
import inspect
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_sdk._access import Access

__all__ = ["PARAMETERS", "Serving", "given", "reaching", "typed", "use"]

FunctionT = TypeVar("FunctionT", bound="Callable[..., None]")

_SWITCH = "SCHED_TLS"
_TOKEN, _TOKEN_FILE = "SCHED_TOKEN", "SCHED_TOKEN_FILE"
_VARIABLES = {
    "tls_ca": "SCHED_TLS_CA",
    "tls_cert": "SCHED_TLS_CERT",
    "tls_key": "SCHED_TLS_KEY",
    "tls_server_name": "SCHED_TLS_SERVER_NAME",
    "token_file": _TOKEN_FILE,
}


def _text(parameter: str, metavar: str, text: str) -> Any:
    return typer.Option(
        f"--{parameter.replace('_', '-')}",
        metavar=metavar,
        envvar=_VARIABLES[parameter],
        show_default=False,
        help=text,
    )


PARAMETERS: dict[str, Any] = {
    "tls": Annotated[
        bool | None,
        typer.Option(
            "--tls/--no-tls",
            envvar=_SWITCH,
            show_default=False,
            help="Talk to the engine by TLS; the other --tls options turn it on, too.",
        ),
    ],
    "tls_ca": Annotated[
        str, _text("tls_ca", "FILE", "The CA that signed its certificate; the system's if none.")
    ],
    "tls_cert": Annotated[str, _text("tls_cert", "FILE", "The certificate that shows who calls.")],
    "tls_key": Annotated[str, _text("tls_key", "FILE", "The key that belongs to it.")],
    "tls_server_name": Annotated[
        str, _text("tls_server_name", "NAME", "Its certificate is for this name.")
    ],
    "token_file": Annotated[
        str, _text("token_file", "FILE", "The token to show; or SCHED_TOKEN, the token itself.")
    ],
}
"""The options, with their types."""


def reaching(function: FunctionT) -> FunctionT:
    """A command's function; one with --engine with the options besides."""
    if "engine" not in inspect.signature(function).parameters:
        return function
    signature = inspect.signature(function, eval_str=True)
    known = signature.parameters
    has_context = "context" in known

    @functools.wraps(function)
    def run(**arguments: Any) -> None:
        from sched_cli import profiles
        from sched_cli.options import DEFAULT_ENGINE

        context = arguments["context"] if has_context else arguments.pop("context")
        engine = arguments["engine"]
        profiles.set_aside(engine)
        if engine != DEFAULT_ENGINE:
            os.environ[profiles.ENGINE_VARIABLES[0]] = engine
        use(**typed(context))
        for name in PARAMETERS:
            del arguments[name]
        function(**arguments)

    more = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=annotation,
            default=None if name == "tls" else "",
        )
        for name, annotation in PARAMETERS.items()
    ]
    extra = dict(PARAMETERS)
    if not has_context:
        extra["context"] = typer.Context
        more.append(
            inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        )
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what the parser reads
        parameters=[*known.values(), *more]
    )
    run.__annotations__ = {**function.__annotations__, **extra}
    return run  # type: ignore[return-value]  # called by the parser, with names


def typed(context: Any) -> dict[str, Any]:
    """Of the options those that stand on the line. What variables say stands there
    already, and may be of a profile that does not count any more."""
    sources = {name: context.get_parameter_source(name) for name in PARAMETERS}
    return {
        name: context.params[name]
        for name, source in sources.items()
        if source is not None and source.name == "COMMANDLINE"
    }


def use(*, tls: bool | None = None, token_file: str = "", **texts: str) -> None:
    """Make variables of what was typed."""
    if tls is not None:
        os.environ[_SWITCH] = "1" if tls else "0"
    for name, value in texts.items():
        if value:
            os.environ[_VARIABLES[name]] = value
    if token_file:
        os.environ[_TOKEN_FILE] = token_file
        os.environ.pop(_TOKEN, None)


def given() -> Access:
    """What the line, the environment and the profile say. Raises InvalidArgumentError."""
    from sched_sdk._access import access_of

    return access_of()


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How an engine lets callers in, named as in its settings. Empty: not so."""

    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    token_file: str = ""

    def lend(self, engine: str) -> None:
        """Let what this process starts get into the engine at these addresses. Its
        certificate is trusted itself, unless variables name a CA."""
        os.environ["SCHED_ENGINE_ADDRESS"] = engine
        os.environ[_SWITCH] = "1" if self.tls_cert else "0"
        if self.tls_cert and not os.environ.get("SCHED_TLS_CA"):
            os.environ["SCHED_TLS_CA"] = os.path.abspath(self.tls_cert)
        os.environ.pop(_TOKEN, None)
        os.environ.pop(_TOKEN_FILE, None)
        if self.token_file:
            os.environ[_TOKEN_FILE] = os.path.abspath(self.token_file)

    def options(self) -> str:
        """What people add to a command for it to get in."""
        ca = f" --tls-ca {self.tls_cert}" if self.tls_cert else ""
        return ca + (f" --token-file {self.token_file}" if self.token_file else "")
