"""Every statement of leadership on Postgres, each with its purpose."""

from __future__ import annotations

# A session that is watched closely from both ends: the server gives up on a
# client that vanished within seconds, and never on one that is merely idle.
WATCH_SESSION = """
SELECT set_config('tcp_keepalives_idle', '2', false),
    set_config('tcp_keepalives_interval', '1', false),
    set_config('tcp_keepalives_count', '3', false),
    set_config('tcp_user_timeout', '5000', false)
"""

# Who this session is: a process id alone could be another session's by now.
IDENTIFY = """
SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""

# Candidates whose session has ended: (shard_group).
FORGET_CANDIDATES = """
DELETE FROM candidates
WHERE shard_group = $1 AND NOT EXISTS (
    SELECT FROM pg_stat_activity
    WHERE pid = candidates.session_pid AND backend_start = candidates.session_start)
"""

# Stand for election: (shard_group, pid, start, address).
STAND = """
INSERT INTO candidates (shard_group, session_pid, session_start, address, since)
VALUES ($1, $2, $3, $4, clock_timestamp())
"""

# Wait for the lock, as long as lock_timeout says: (key).
WAIT = "SELECT wait_for_lock($1)"

# Who holds the lock, whether it is a session of this cluster, and how far its
# counter is: (key, shard_group).
WATCH = """
SELECT holder.pid, holder.backend_start, holder.application_name,
    leaders.counter, leaders.address, candidates.session_pid IS NOT NULL
FROM pg_locks
JOIN pg_stat_activity AS holder USING (pid)
LEFT JOIN leaders ON leaders.shard_group = $2
    AND leaders.session_pid = holder.pid AND leaders.session_start = holder.backend_start
LEFT JOIN candidates ON candidates.shard_group = $2
    AND candidates.session_pid = holder.pid AND candidates.session_start = holder.backend_start
WHERE pg_locks.locktype = 'advisory' AND pg_locks.granted AND pg_locks.objsubid = 1
    AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND pg_locks.classid = (($1::bigint >> 32) & 4294967295)::oid
    AND pg_locks.objid = ($1::bigint & 4294967295)::oid
"""

# A leader of this very shard group that leads by another lock, which all others
# would wait for in vain: (key, shard_group).
RIVAL = """
SELECT leaders.address, (lock.classid::bigint << 32) | lock.objid::bigint
FROM leaders
JOIN pg_stat_activity AS holder
    ON holder.pid = leaders.session_pid AND holder.backend_start = leaders.session_start
JOIN pg_locks AS lock ON lock.pid = holder.pid
WHERE leaders.shard_group = $2
    AND lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (lock.classid::bigint << 32) | lock.objid::bigint <> $1
"""

# End a session, if it still is that one: (pid, start).
DEPOSE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2
"""

# The lock was granted: (shard_group, pid, start, address). The epoch stays the
# old one until the new one is known.
SEIZE = """
WITH elected AS (
    DELETE FROM candidates WHERE shard_group = $1 AND session_pid = $2 AND session_start = $3
)
INSERT INTO leaders
    (shard_group, epoch, address, session_pid, session_start, counter, renewed_at)
VALUES ($1, 0, $4, $2, $3, 1, clock_timestamp())
ON CONFLICT (shard_group) DO UPDATE
SET address = excluded.address, session_pid = excluded.session_pid,
    session_start = excluded.session_start, counter = leaders.counter + 1,
    renewed_at = excluded.renewed_at
"""

# Still here: (shard_group, pid, start, epoch or 0 for the old one).
RENEW = """
UPDATE leaders
SET counter = counter + 1, renewed_at = clock_timestamp(), epoch = greatest(epoch, $4)
WHERE shard_group = $1 AND session_pid = $2 AND session_start = $3
RETURNING counter
"""

# Let go, so that a candidate is granted the lock at once: (shard_group, pid, start, key).
RESIGN = """
WITH gone AS (
    UPDATE leaders SET session_pid = 0
    WHERE shard_group = $1 AND session_pid = $2 AND session_start = $3 RETURNING shard_group
)
SELECT pg_advisory_unlock($4) FROM (SELECT count(*) FROM gone) AS done
"""

# The leader, and whether it lives: (shard_group, seconds).
READ_LEADER = """
SELECT leaders.address, leaders.epoch,
    leaders.renewed_at > clock_timestamp() - make_interval(secs => $2) AND EXISTS (
        SELECT FROM pg_stat_activity
        WHERE pid = leaders.session_pid AND backend_start = leaders.session_start)
FROM leaders WHERE shard_group = $1
"""

# Who waits, the first first: (shard_group).
READ_CANDIDATES = """
SELECT candidates.address, (extract(epoch FROM candidates.since) * 1000000)::bigint
FROM candidates
JOIN pg_stat_activity ON pid = session_pid AND backend_start = session_start
WHERE shard_group = $1 ORDER BY candidates.since
"""
