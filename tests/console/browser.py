"""A real Chromium for the tests, and axe-core's accessibility rules to run in it.

The screenshots in `docs/images/` are made by the tests too:

    BOTHWAYS_SCREENSHOTS=docs/images python -m pytest tests/console/test_browser.py
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser, Page, Playwright, ViewportSize

BROAD = ViewportSize(width=1280, height=900)
NARROW = ViewportSize(width=400, height=800)
AXE = Path(__file__).parent / "axe"
_ROOT = Path(__file__).parents[2]
_SERIOUS = ("serious", "critical")
_OPTIONS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
]


def chromium(playwright: Playwright) -> Browser:
    """Chromium of this machine; its absence fails the run in CI and skips the test elsewhere."""
    found = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found is None:
        _lack("chromium")
    return playwright.chromium.launch(executable_path=found, args=_OPTIONS)


def axe_script() -> str:
    """The rules, from the pinned package; npm brings it once."""
    home = _ROOT / ".bothways" / "tests" / "axe"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be bringing it
        return _installed(home).read_text(encoding="utf-8")


def _installed(home: Path) -> Path:
    script = home / "node_modules" / "axe-core" / "axe.min.js"
    pins = "package-lock.json"
    if not script.exists() or (home / pins).read_bytes() != (AXE / pins).read_bytes():
        if shutil.which("npm") is None:
            _lack("npm")
        shutil.copytree(AXE, home, dirs_exist_ok=True)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=home, check=True, capture_output=True)
    return script


def _lack(package: str) -> NoReturn:
    reason = f"The tests in a browser need {package}; install the package of that name."
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def violations(page: Page, script: str) -> list[str]:
    """The serious ones, each with the elements that it is about."""
    page.evaluate(script)  # the page's policy lets no script element in, as it should
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {[node['html'] for node in rule['nodes']]}"
        for rule in found["violations"]
        if rule["impact"] in _SERIOUS
    ]


def screenshot(page: Page, name: str) -> None:
    """Keep what the page looks like, as `<name>.png` in the folder that is asked for."""
    chosen = os.environ.get("BOTHWAYS_SCREENSHOTS")
    folder = Path(chosen) if chosen else Path(tempfile.gettempdir()) / "bothways-screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
