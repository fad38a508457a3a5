"""Mutation testing of what consent and data rest on: `make mutants`, or `ONLY=guard` of it.

mutmut breaks one expression at a time and runs the tests that reach it; a mutant that no test
notices survives. It works on a copy below `.bothways/mutants/`, one for each group, and goes on
where it was interrupted. What survived and why stands in `docs/testing.md`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".bothways" / "mutants"


@dataclass(frozen=True)
class Group:
    """Modules below `src/bothways/` that are broken, and the tests that should notice."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


_UNIT = ("tests/unit/transform", "tests/properties/test_transform_plan.py")
_STORE = ("tests/unit/store", "tests/properties/test_store_replay.py")
GROUPS = {
    "merge": Group(("transform/merge.py",), _UNIT),
    "match": Group(
        (
            "transform/match.py",
            "transform/link_ends.py",
            "transform/merged_records.py",
            "transform/primary.py",
        ),
        _UNIT,
    ),
    "guard": Group(("engine/guard.py",), ("tests/unit/engine", "tests/promises/test_8_guard.py")),
    "close": Group(
        ("engine/close.py",),
        ("tests/promises/test_6_counts.py", "tests/promises/test_7_isolation.py"),
    ),
    "consent": Group(
        ("syncs/two_way/consent.py",),
        ("tests/promises/test_two_way_consent.py", "tests/promises/test_1_consent.py"),
    ),
    "lists": Group(("syncs/two_way/lists.py",), ("tests/promises/test_two_way_lists.py",)),
    "ledgers": Group(
        (
            "store/suppressions.py",
            "store/list_states.py",
            "store/baselines.py",
            "store/links.py",
        ),
        _STORE,
    ),
    "retry": Group(
        ("store/retries.py", "connectors/http/retry.py"), (*_STORE, "tests/unit/connectors/http")
    ),
    "redact": Group(("errors.py",), ("tests/unit/test_errors.py",)),
}
# The mappings are read from `include`.
_COPIED = ("src", "include", "tests", "sandbox", "demo")


def main(names: list[str]) -> int:
    """Try the mutants of these groups, or of all; print those that survived."""
    unknown = set(names) - GROUPS.keys()
    if unknown:
        print(f"There is no group {sorted(unknown)[0]}; choose of {', '.join(GROUPS)}.")
        return 2
    for name in names or GROUPS:
        print(f"── {name} ──", flush=True)
        _run(HOME / name, GROUPS[name])
    return 0


def _run(home: Path, group: Group) -> None:
    _copy(home, group)
    paths = [str(home / "mutants" / "src"), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", "mutmut"]
    subprocess.run([*command, "run"], cwd=home, env=env, check=False)
    subprocess.run([*command, "results"], cwd=home, env=env, check=False)


def _copy(home: Path, group: Group) -> None:
    """Bring the working copy up to date; what mutmut knows of unchanged functions stays."""
    # Python never looks again into a folder of its path that was not there when it started.
    (home / "mutants" / "src").mkdir(parents=True, exist_ok=True)
    for name in _COPIED:
        shutil.rmtree(home / name, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, home / name, ignore=ignored)
    settings = {
        "source_paths": ["src"],
        "only_mutate": [f"src/bothways/{name}" for name in group.modules],
        "also_copy": list(_COPIED),
        "pytest_add_cli_args_test_selection": list(group.tests),
    }
    lines = [f"{name} = {value!r}" for name, value in settings.items()]
    own = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text = "\n".join([own, "[tool.mutmut]", *lines, ""])
    (home / "pyproject.toml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
