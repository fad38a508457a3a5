"""
### Configuration problems

Builds no DAG. When an account, a mapping or a rule file has a problem, importing this file fails,
so that Airflow's banner of import errors names every problem with file, line and remedy. The DAGs
of valid accounts are not affected. `bothways check` prints the same on a terminal.
"""

from __future__ import annotations

from bothways.config.load import all_problems, load_accounts
from bothways.config.problems import FileProblems

if problems := all_problems():
    without = ", ".join(load_accounts().broken) or "none"
    raise FileProblems(f"Accounts without DAGs: {without}. Fix these:", problems)
