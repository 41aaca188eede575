"""`sched dev --ha`: two engines on one desk, to see one take over from the other.

    supervisor ──┬── servers     one process that runs Postgres and Redis
                 ├── engine      leads, or
                 ├── engine      stands by
                 └── worker      only with an app; reloads as ever

Each child shares a socket pair with the supervisor, and ends when the
supervisor's end is closed, by its will or because it was killed.
"""
