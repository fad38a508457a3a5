#!/bin/sh
# Points the demo account's connections at the sandbox ($1), and has its CRM prepared.
set -eu
python -m demo.connections "$1" >/tmp/connections.json
airflow connections import --overwrite /tmp/connections.json
bothways prepare demo
