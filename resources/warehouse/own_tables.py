"""Tables of the warehouse that the platform keeps for itself."""

from airline_platform.contract.table import Column, Table

INGESTED_FILES = Table(
    name="ingested_files",
    description=(
        "The ledger: one row per landed object version, saying what became of it. Written in the same "
        "transaction as the rows it speaks of."
    ),
    columns=(
        Column("feed", "string", "Name of the feed.", required=True, length=64),
        Column("partition_date", "date", "Day the file is for; empty for feeds without days."),
        Column("bucket", "string", "Landing bucket.", required=True),
        Column("key", "string", "Object key.", required=True, length=1024),
        Column("version_id", "string", "S3 version id.", length=1024),
        Column("etag", "string", "S3 entity tag, without quotes.", required=True, length=128),
        Column("size_bytes", "bigint", "Object size in bytes.", required=True),
        Column("rows_read", "bigint", "Data rows in the file; empty where it was refused unread."),
        Column("rows_loaded", "bigint", "Rows that reached the table."),
        Column("rows_rejected", "bigint", "Rows that went to the rejects, each with its reason."),
        Column(
            "state", "string", "loaded, rejected (the whole file) or superseded.", required=True, length=16
        ),
        Column("reason", "string", "Why the file was rejected.", length=4096),
        Column("run_id", "string", "Dagster run.", required=True, length=64),
        Column("glue_job_run_id", "string", "Glue job run.", length=128),
        Column("landed_at", "timestamptz", "When the object version landed (S3's clock).", required=True),
        Column("loaded_at", "timestamptz", "When the verdict was committed.", required=True),
    ),
    dist_key="key",
    sort_key=("feed", "partition_date"),
    looked_up_by=("key",),
)

ALERT_OUTBOX = Table(
    name="alert_outbox",
    description=(
        "What people are to be told: one row per alert, written in the transaction of what it tells of, and "
        "published afterwards, at least once."
    ),
    columns=(
        Column("alert_id", "string", "Names the happening; a repeated alert has it again.", required=True),
        Column(
            "event",
            "string",
            "loaded, failed, refused, unknown_key, gone, check_failed, overdue or new_column.",
            required=True,
            length=32,
        ),
        Column("feed", "string", "Name of the feed; empty where none is concerned.", length=64),
        Column("run_id", "string", "Dagster run; empty where none is concerned.", length=64),
        Column("subject", "string", "One line.", required=True, length=1024),
        Column("message", "string", "The rest, as people read it.", required=True, length=65535),
        Column("created_at", "timestamptz", "When it was written.", required=True),
        Column("sent_at", "timestamptz", "When SNS took it; empty: it has not yet."),
        Column("refusal", "string", "Why SNS never takes it; it is set aside, and told of.", length=1024),
    ),
    dist_key="alert_id",
    sort_key=("created_at",),
)

LOAD_LOCK = Table(
    name="load_lock",
    description="Holds nothing: every load locks it first, so that no two loads ever cross.",
    columns=(Column("held", "bigint", "Never used."),),
)

SCHEMA_CHANGES = Table(
    name="schema_changes",
    description="What deployments have changed of this schema: one row per statement that was done.",
    columns=(
        Column("changed_at", "timestamptz", "When it was done.", required=True),
        Column("statement", "string", "The statement, in Redshift's dialect.", required=True, length=65535),
    ),
    sort_key=("changed_at",),
)
