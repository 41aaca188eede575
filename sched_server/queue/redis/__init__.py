"""The task queue in Redis Streams.

One stream per key, one consumer group, one entry per task. What waits is also
remembered here, bounded by the window, so Redis may fail in any way:

    Redis …                     what waits                        who is told
    cannot be reached           waits in this process meanwhile   status()
    restarts empty, is flushed  waits in this process from then   on_lost, status()
    has more than was put in    is taken too (another engine's)   on_available
    refuses a write             waits in this process             status()

Nothing here waits for Redis longer than one short timeout.

    adapter   the port: publish, take, finish
    link      the connection: round trips that gather, reconnecting
    window    what is known of one key
    survey    the look around: wiped? what did others leave?
    wire      names of keys, form of entries and replies

Import this package only where a Redis URL was given: it loads the driver.
"""

from sched_server.queue.redis.adapter import RedisTaskQueue
from sched_server.queue.redis.link import RedisUrlError

__all__ = ["RedisTaskQueue", "RedisUrlError"]
