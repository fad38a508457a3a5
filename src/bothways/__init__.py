"""Bothways keeps a CRM and a marketing platform in step, on Apache Airflow."""

from __future__ import annotations
