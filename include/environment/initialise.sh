#!/bin/sh
# Before anything of Airflow starts, and again after every upgrade.
set -eu
airflow db migrate
bothways migrate --runs-as bothways_run --reads-as bothways_read
bothways pools >/tmp/pools.json
airflow pools import /tmp/pools.json
