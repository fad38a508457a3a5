#!/bin/sh
# The databases and their roles (docs/least-privilege.md), as PostgreSQL's superuser. The image runs it
# once, when PostgreSQL's folder is new; a repeat does no harm, and changes passwords.
set -eu

as_superuser() {
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" "$@"
}

as_superuser --dbname=postgres <<'SQL'
\getenv airflow AIRFLOW_DB_PASSWORD
\getenv celery CELERY_DB_PASSWORD
\getenv migrate STORE_MIGRATE_PASSWORD
\getenv run STORE_RUN_PASSWORD
\getenv read STORE_READ_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['airflow', 'celery', 'bothways_migrate', 'bothways_run', 'bothways_read']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE airflow PASSWORD :'airflow';
ALTER ROLE celery PASSWORD :'celery';
ALTER ROLE bothways_migrate PASSWORD :'migrate';
ALTER ROLE bothways_run PASSWORD :'run';
ALTER ROLE bothways_read PASSWORD :'read';

SELECT format('CREATE DATABASE %I', name)
FROM unnest(ARRAY['airflow', 'celery', 'bothways']) AS name
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec

ALTER DATABASE airflow OWNER TO airflow;
ALTER DATABASE celery OWNER TO celery;
ALTER DATABASE bothways OWNER TO bothways_migrate;
REVOKE ALL ON DATABASE airflow, celery, bothways FROM PUBLIC;
SQL

# What a superuser made there before the roles were: tables with their sequences, types, and functions,
# of which some run with their owner's rights.
hand_over() {
    as_superuser --dbname="$1" --set=owner="$2" <<'SQL'
SELECT format('ALTER TABLE %I.%I OWNER TO %I', schemaname, tablename, :'owner')
FROM pg_tables WHERE schemaname = 'public' AND tableowner <> :'owner' \gexec

SELECT format('ALTER TYPE %s OWNER TO %I', oid::regtype, :'owner')
FROM pg_type
WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
  AND pg_get_userbyid(typowner) <> :'owner' \gexec

SELECT format('ALTER FUNCTION %s OWNER TO %I', oid::regprocedure, :'owner')
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND pg_get_userbyid(proowner) <> :'owner' \gexec
SQL
}

hand_over airflow airflow
hand_over celery celery
hand_over bothways bothways_migrate
