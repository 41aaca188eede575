"""From the arguments of `queue_activity` to a command.

What only depends on the activity (its options in the units of the API, the
decoder of its result) is worked out once, not for each call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sched_sdk._definitions import activity_definition_of, check_name
from sched_sdk._payloads import decoder_for, encode_all
from sched_sdk._policy import RetryPolicy, as_microseconds
from sched_sdk._replay.commands import ActivityOptions, ScheduleActivity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sched_sdk._definitions import ActivityDefinition
    from sched_sdk._replay.call_sites import CallSite
    from sched_sdk._signature import Signature
    from sched_sdk.api.v1 import common_pb2

__all__ = ["prepare_call"]


@dataclass(frozen=True, slots=True)
class _Prepared:
    options: ActivityOptions
    decode: Callable[[common_pb2.Payload], Any]


# By the declared function's signature, which bound methods share.
_prepared: dict[Signature, _Prepared] = {}

_NO_DEFAULTS = ActivityOptions()
_DURATIONS = ("start_to_close", "schedule_to_close", "schedule_to_start", "heartbeat_timeout")


def prepare_call(
    activity: Callable[..., Any] | str,
    args: tuple[Any, ...],
    options: Mapping[str, Any],
    site: CallSite,
) -> tuple[ScheduleActivity, Callable[[common_pb2.Payload], Any]]:
    """The command, its arguments encoded, and the decoder of its result."""
    if isinstance(activity, str):
        name = check_name(activity, "activity")
        payloads = encode_all(args)
        defaults, decode = _NO_DEFAULTS, decoder_for(Any)
    else:
        definition = activity_definition_of(activity)
        name = definition.name
        payloads = definition.encode_arguments(args)
        prepared = _prepared.get(definition.signature) or _prepare(definition)
        defaults, decode = prepared.options, prepared.decode
    if options:
        if "result_type" in options:
            decode = decoder_for(options["result_type"])
        defaults = _with_overrides(defaults, options)
    return ScheduleActivity(name, payloads, defaults, site), decode


def _prepare(definition: ActivityDefinition) -> _Prepared:
    options = ActivityOptions(
        task_queue=definition.task_queue or "",
        retry=definition.retry.to_proto(),
        start_to_close_us=as_microseconds(definition.start_to_close),
        schedule_to_close_us=as_microseconds(definition.schedule_to_close),
        schedule_to_start_us=as_microseconds(definition.schedule_to_start),
        heartbeat_timeout_us=as_microseconds(definition.heartbeat_timeout),
    )
    prepared = _Prepared(options, decoder_for(definition.result_type))
    _prepared[definition.signature] = prepared
    return prepared


def _with_overrides(defaults: ActivityOptions, given: Mapping[str, Any]) -> ActivityOptions:
    unknown = given.keys() - _KNOWN
    if unknown:
        raise TypeError(
            f"queue_activity has no option {', '.join(sorted(unknown))}; "
            f"it takes {', '.join(sorted(_KNOWN))}. Arguments of the activity go by position."
        )
    retry = given.get("retry")
    if retry is not None and not isinstance(retry, RetryPolicy):
        raise TypeError(f"retry is {retry!r}; give a RetryPolicy")
    task_queue = given.get("task_queue")
    durations = {
        f"{name}_us": (
            as_microseconds(given[name], name)
            if given.get(name) is not None
            else getattr(defaults, f"{name}_us")
        )
        for name in _DURATIONS
    }
    return ActivityOptions(
        task_queue=defaults.task_queue
        if task_queue is None
        else check_name(task_queue, "task queue"),
        retry=defaults.retry if retry is None else retry.to_proto(),
        summary=given.get("summary") or "",
        **durations,
    )


_KNOWN = frozenset({*_DURATIONS, "retry", "task_queue", "summary", "result_type"})
