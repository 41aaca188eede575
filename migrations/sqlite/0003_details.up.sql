-- What a run says it is doing, for people. A row of its own, written only when the
-- text changes: most commits change none, and most runs have none.
CREATE TABLE run_details (
    run_key INTEGER PRIMARY KEY,
    shard   INTEGER NOT NULL,
    details TEXT    NOT NULL
);
