-- The two database users, run once by the master user in the product's database, before the first migration;
-- running it again changes nothing but the passwords, which is also how they are rotated.
--   orderflow_migrator  owns the database and all that is in it; used by migrate-schema only
--   orderflow_app       used by every other function; sees and does what the migrations grant it
-- Who runs it: `local-cloud` on one machine; on AWS the deploy, through the Data API with the cluster's master
-- secret. Statements are separated as in migrations. The runner puts the passwords of the two users' secrets in
-- place of the two names in double braces, and allows only letters and digits in them.

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'orderflow_migrator') THEN
    CREATE ROLE orderflow_migrator;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'orderflow_app') THEN
    CREATE ROLE orderflow_app;
  END IF;
END
$$

-- next statement
ALTER ROLE orderflow_migrator WITH LOGIN PASSWORD '{{migrator_password}}'

-- next statement
ALTER ROLE orderflow_app WITH LOGIN PASSWORD '{{app_password}}'

-- next statement
-- On Aurora the master user is no superuser: to give the database away it must belong to the new owner.
GRANT orderflow_migrator TO CURRENT_USER

-- next statement
DO $$
BEGIN
  EXECUTE format('ALTER DATABASE %I OWNER TO orderflow_migrator', current_database());
  -- Without this everybody could connect, and create temporary tables.
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO orderflow_app', current_database());
END
$$

-- next statement
-- Accepting ten orders takes milliseconds. A statement of 3 s is stuck, a wait of 1 s for a lock means trouble: the
-- batch comes back, and its locks do not stay behind a function that is long gone.
ALTER ROLE orderflow_app SET statement_timeout = '3s'

-- next statement
ALTER ROLE orderflow_app SET lock_timeout = '1s'

-- next statement
-- A migration that waits for a table also makes everything behind it wait: it gives up and is run again.
ALTER ROLE orderflow_migrator SET lock_timeout = '2s'
