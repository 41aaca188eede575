"""Checking an installation, for `sched doctor`.

    findings      what a check has to say
    here          this machine
    engines       what answers, versions, clocks, the leader's store and queue
    workers       builds, SDK versions, queues that nobody serves
    serving       open workflows for which no worker has the code
    workflows     open workflows that do not get on
    postgres      the database, when its DSN is known here
    redis         the same for Redis
    examination   all of it, at the same time

Each of the middle ones judges facts that it was given, so that a bad installation
need not be built to see what is said of it.
"""
