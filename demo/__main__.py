"""`python -m demo up` and `python -m demo down`: what `make demo` and `make stop` run."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from subprocess import TimeoutExpired

from demo.airflow_api import AirflowError
from demo.environment import PROJECT
from demo.postgres import PostgresError
from demo.processes import ProcessError, Processes
from demo.show import Demo, DemoError
from demo.stack import StackError
from demo.waiting import NotInTimeError

HOME = PROJECT / ".bothways"
# Errors whose message tells a person what is wrong; shown without a traceback.
PROBLEMS = (
    AirflowError,
    DemoError,
    NotInTimeError,
    PostgresError,
    ProcessError,
    StackError,
    TimeoutExpired,
)


def up() -> int:
    """Starts everything and shows the first syncs; stops everything when that fails."""
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell or CI ignores the first
        signal.signal(number, signal.default_int_handler)
    demo = Demo(HOME, _port("BOTHWAYS_PORT", 8080), _port("BOTHWAYS_SANDBOX_PORT", 8900))
    try:
        demo.take_over()
        demo.start()
        return demo.show()
    except PROBLEMS as error:
        print(f"\n{error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted; stopping.", file=sys.stderr)
    demo.stop()
    return 1


def down() -> int:
    """Ends every process that `up` started."""
    processes = Processes(HOME)
    names = processes.running()
    processes.stop()
    print(f"Stopped {', '.join(names)}." if names else "Nothing is running.")
    return 0


def _port(variable: str, default: int) -> int:
    value = os.environ.get(variable) or str(default)
    if not value.isdigit() or not 0 < int(value) < 65536:
        sys.exit(f"{variable} is {value!r}: give a port number between 1 and 65535.")
    return int(value)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    sys.exit(up() if parser.parse_args().command == "up" else down())
