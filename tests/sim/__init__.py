"""The whole system in one thread, from one seed, under every fault.

    plan      what a seed means: topology, workload, faults, all as data
    world     loop, network, database, queue and nodes, wired together
    checkers  what must hold, one file each
    run       a plan in two phases: under faults, then until all is finished

`python -m tests.sim --seeds 200` tries fresh seeds, `--seed N` repeats one.
"""
