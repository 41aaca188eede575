DROP TABLE timers;
DROP TABLE tasks;
DROP TABLE events;
DROP TABLE run_counters;
DROP TABLE runs;
DROP TABLE shard_groups;
DROP TABLE meta;
