"""Real chaos: processes, servers and wires that break at random, by seed.

    driver ──── clients of 500 workflows ──────────────┐
      │                                                ▼
      │   engine-0 ─┐                          worker-0, worker-1 …
      │   engine-1 ─┼─ proxies ─ Postgres (on a small disk), Redis
      │   engine-2 ─┘
      └── the faults: kill, freeze, stop, cut, slow, fill, wipe

Each engine lives in a network namespace of its own where the machine allows it. The
faults stop, everything must finish in bounded time, and then the checkers of the
simulator look at the rows in the database, and at what the workflows' code and the
clients noted meanwhile.

The simulator (tests/sim) repeats what it finds for ever; this does not, but nothing
in it is simulated. `python -m tests.chaos --help`.
"""
