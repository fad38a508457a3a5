"""A `bothways` command that finds a running demo: `.bothways/bothways audit`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

TEXT = """#!/bin/sh
# The `bothways` command beside the running demo; made by `make demo`, and holds its secrets.
{exports}
exec {program} "$@"
"""


def write_command(path: Path, env: Mapping[str, str]) -> None:
    """Writes a script, for its owner only, that sets what Airflow's processes have and goes on.

    Args:
        path: of the script.
        env: the environment of the processes; only what concerns Airflow and Bothways is taken.
    """
    ours = {k: v for k, v in sorted(env.items()) if k.startswith(("AIRFLOW", "BOTHWAYS"))}
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in ours.items())
    program = shlex.quote(str(Path(sys.executable).with_name("bothways")))
    path.touch(mode=0o700)
    path.chmod(0o700)
    path.write_text(TEXT.format(exports=exports, program=program))
