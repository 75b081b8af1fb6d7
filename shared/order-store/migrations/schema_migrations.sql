-- What has been applied. Not a numbered migration, because it must exist before the first one can be recorded:
-- the runner executes it under its lock every time, and it changes nothing when the table is there.
CREATE TABLE IF NOT EXISTS schema_migrations (
  version    integer     CONSTRAINT schema_migrations_pk PRIMARY KEY,
  name       text        NOT NULL,
  checksum   text        NOT NULL CONSTRAINT schema_migrations_checksum
             CHECK (checksum ~ '^[0-9a-f]+$' AND length(checksum) = 64),
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
