"""The `sched` command: the dev server, workers, and everything about workflows.

Start-up time is a feature: `sched --help` and `sched workflow …` import neither
the engine nor anything else they do not need. Modules that are imported by
`sched_cli.main` therefore import what is heavy (grpc, rich, the SDK) inside
functions.
"""
