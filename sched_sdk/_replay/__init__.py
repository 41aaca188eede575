"""The pure heart of the SDK: history in, commands out.

A workflow function runs on an event loop that has no clock, no sockets and no
threads: time moves only with events, and everything the code waits for is
either recorded in the history or produced by the code itself. Running it over
the same history therefore produces the same commands, in the same order.

    loop        the deterministic asyncio event loop and its durable timers
    futures     futures and tasks that hash by number instead of address
    journal     commands in code order, and what is still awaited
    commands    one small class per command
    activities, steps, signals, conditions    what code can wait for
    lifecycle   start, cancellation, draining and the closing command
    delivery    one outside event, handed to the code
    matching    one recorded command, compared with the produced one
    divergence  the error when the two differ
    guard       calls to the world outside are refused where they are made
    queries     questions to the code, which leave no trace
    waiting     where each task waits, and on what
    run         WorkflowRun: the state machine over segments; the worker's API
    replayer    a whole history at once, for tests and tools

Nothing here does I/O, reads a clock or knows of the worker.
"""
