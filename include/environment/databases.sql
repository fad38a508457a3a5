-- Bothways' own database, beside Airflow's; run once, when PostgreSQL's folder is new.
CREATE DATABASE bothways;
