"""Realistic bugs in reset and fork, queries and patches, as changes of their text."""

from __future__ import annotations

from tests.sim.bugs import Mutant

__all__ = ["BUGS_OF_COPIES"]

_COPYING = "sched_server/copying.py"
_COPY = "sched_server/core/deciders/copy.py"
_DRIVER = "sched_sdk/_worker/run_driver.py"
_QUERIES = "sched_sdk/_replay/queries.py"
_PATCHES = "sched_sdk/_replay/patches.py"

BUGS_OF_COPIES = (
    Mutant(
        "runs of one workflow id are begun without turns",
        "sched_server/turns.py",
        "        while (taken := self._taken.get(key)) is not None:\n"
        "            await asyncio.wait((taken,))\n"
        "        self._taken[key] = asyncio.get_running_loop().create_future()\n\n"
        "    def give_back(self, key: str) -> None:\n"
        "        self._taken.pop(key).set_result(None)\n",
        "        pass\n\n    def give_back(self, key: str) -> None:\n        pass\n",
    ),
    Mutant(
        "a reset loses the signals behind its point",
        _COPYING,
        "    signals = _signals_behind(history, kept) if request.keep_signals else ()\n",
        "    signals: tuple[e.SignalReceived, ...] = ()\n",
    ),
    Mutant(
        "a reset keeps two signals at most",
        _COPYING,
        "    return tuple(signals)\n",
        "    return tuple(signals[:2])\n",
    ),
    Mutant(
        "the source of a reset is not ended in the same commit",
        _COPYING,
        "        source.pending.linked, source.pending.broken = begun, False\n",
        "        source.pending.broken = False\n",
    ),
    Mutant(
        "the source of a reset goes on",
        _COPYING,
        "    if not request.fork and state.status is Status.RUNNING:\n",
        "    if not request.fork and state.status is Status.NEW:\n",
    ),
    Mutant(
        "a reset overlooks what comes to its source meanwhile",
        _COPYING,
        "        if not unchanged or len(history) != source.state.last_event_id:\n",
        "        if not unchanged:\n",
    ),
    Mutant(
        "pending activities are not begun anew after a reset",
        "sched_server/changes.py",
        "    pending.change.events += events\n"
        "    pending.touched.update((ACTIVITY_TASK, seq) for seq in execution.state.activities)\n",
        "    pending.change.events += events\n",
    ),
    Mutant(
        "pending timers are not set anew after a reset",
        _COPY,
        "        effects.append(SetTimer(TimerKind.USER, seq, timer.due_us))\n",
        "        pass\n",
    ),
    Mutant(
        "a reset cuts in the middle of a segment",
        _COPY,
        "    if kept < len(types) and types[kept] in IN_SEGMENT:",
        "    if kept < 0:",
    ),
    Mutant(
        "a reset sent again is done again",
        _COPYING,
        "        earlier = await engine.store.find_start(target_id, request.request_id)\n"
        "        if earlier is not None:\n"
        "            return await _done_before(engine, earlier.run_key)\n"
        "        return await _copy(",
        "        request = msgspec.structs.replace(request, request_id=request.request_id + '2')\n"
        "        return await _copy(",
    ),
    Mutant(
        "a reset that is under way is refused when it is sent again",
        _COPYING,
        "            if rival.state.start_request_id == request.request_id:\n",
        "            if not request.request_id:\n",
    ),
    Mutant(
        "a query is answered from what is not durable",
        _DRIVER,
        "        if self.dead or not self._opened or self._segment is not None or self._commands:\n"
        "            return\n"
        "        if self._handed:\n",
        "        if self.dead or not self._opened:\n",
    ),
    Mutant(
        "a query is answered while a step's outcome is on its way",
        _DRIVER,
        " or self._segment is not None or self._commands:\n            return\n"
        "        if self._handed:\n            return\n",
        " or self._commands:\n            return\n",
    ),
    Mutant(
        "a query does not wait for what the code has not seen",
        "sched_server/queries.py",
        "            question.must_see = _last_unseen(execution)\n",
        "            question.must_see = 0\n",
    ),
    Mutant(
        "a query that changes something in silence is answered",
        _QUERIES,
        " or isinstance(problem, _RefusedError) or _state_of(instance) != before:\n",
        " or isinstance(problem, _RefusedError):\n",
    ),
    Mutant(
        "what a query has touched stays in memory",
        _DRIVER,
        "            elif not question.put_to(self._run, self._name, self._host.guard):\n",
        "            elif question.put_to(self._run, self._name, self._host.guard) is None:\n",
    ),
    Mutant(
        "replay does not know the patches of a history",
        _PATCHES,
        "        answer = not self._facts.replaying or patch in self.recorded\n",
        "        answer = not self._facts.replaying\n",
    ),
    Mutant(
        "replay takes every patch",
        _PATCHES,
        "        answer = not self._facts.replaying or patch in self.recorded\n",
        "        answer = True\n",
    ),
    Mutant(
        "the answer to a patch does not hold",
        _PATCHES,
        "        self._answers[patch] = answer\n",
        "        pass\n",
    ),
    Mutant(
        "a deprecated patch is not recorded",
        _PATCHES,
        "            self._ask(patch, DEPRECATED, site)\n",
        "            self._answers[patch] = True\n",
    ),
)
