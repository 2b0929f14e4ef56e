-- An operator's word on where a partition goes on, when its log is not the one that was applied (design I9).

CREATE TABLE ledger.position_resolutions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    position_before bigint,
    digest_before bytea,
    position bigint NOT NULL,
    digest bytea NOT NULL,
    reason text NOT NULL,
    resolved_by text NOT NULL,
    resolved_at timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT ON ledger.position_resolutions TO wattledger_writer;
GRANT SELECT ON ledger.position_resolutions TO wattledger_control, wattledger_finance, wattledger_auditor;

-- Once an operator lets a partition be read again, its dead letters are met again; and where the topic was created
-- anew, another message may stand at the offset of an old one. Each is kept once.
ALTER TABLE ledger.dead_letters DROP CONSTRAINT dead_letters_cluster_topic_partition_message_offset_key;
CREATE UNIQUE INDEX dead_letters_message_idx ON ledger.dead_letters (
    cluster, topic, partition, message_offset, sha256(coalesce(key, '')), sha256(coalesce(payload, ''))
);
