"""What goes wrong at the command line, and the exit code that says so."""

from __future__ import annotations

import sys

EXIT_FINE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_NOT_FOUND = 4
EXIT_INTERRUPTED = 130
EXIT_NOBODY_READS = 141

EXIT_CODES = {
    EXIT_FINE: "fine",
    EXIT_FAILED: "the workflow did not complete, or the command itself failed",
    EXIT_USAGE: "usage: an option, an argument, a file, a token or a certificate that is no use",
    EXIT_UNREACHABLE: "no engine answers, or its database does not",
    EXIT_NOT_FOUND: "no such workflow",
    # How those are meant to be stopped.
    EXIT_INTERRUPTED: "interrupted; servers, workers and `--watch` end with 0 instead",
    EXIT_NOBODY_READS: "whoever read the output, such as `head`, had enough of it",
}


class CliError(Exception):
    """A message for people (what is wrong, and what to do next) and an exit code."""

    def __init__(self, message: str, *, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(CliError):
    """An option, an argument or a file that cannot be used."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=EXIT_USAGE)


class NotFoundError(CliError):
    """No such workflow."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=EXIT_NOT_FOUND)


def explain(error: Exception) -> CliError | None:
    """What to tell people about an error of the SDK or of a store; None for one
    that is a bug."""
    if isinstance(error, CliError):
        return error
    if (explained := _explain_store_error(error)) is not None:
        return explained
    # Only a command that imported the SDK can have raised one of its errors.
    if "sched_sdk.errors" not in sys.modules:
        return None
    from sched_sdk import errors

    if isinstance(error, errors.EngineUnavailableError):
        return CliError(str(error), exit_code=EXIT_UNREACHABLE)
    if isinstance(error, errors.WorkflowNotFoundError):
        return NotFoundError(str(error))
    unusable = (
        errors.AuthenticationError,
        errors.InvalidArgumentError,
        errors.LimitExceededError,
        errors.CaptureError,
        errors.DefinitionError,
    )
    if isinstance(error, unusable):
        return UsageError(str(error))
    if isinstance(error, errors.SchedError):
        return CliError(str(error))
    return None


def _explain_store_error(error: Exception) -> CliError | None:
    # The same: what was not imported cannot have raised anything.
    if "sched_server.store.port" not in sys.modules:
        return None
    from sched_server.store import port

    if isinstance(error, port.StoreRefusedError | port.StoreVersionError):
        return UsageError(str(error))
    if isinstance(error, port.StoreUnavailableError):
        return CliError(str(error), exit_code=EXIT_UNREACHABLE)
    if isinstance(error, port.StoreError):
        return CliError(str(error))
    return None
