"""What the package says of itself, and what its build needs, is there."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_package_is_under_the_apache_license_and_brings_its_text() -> None:
    assert metadata("bothways")["License-Expression"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_image_is_given_what_the_builds_of_both_packages_read() -> None:
    needed = {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], "src", "sandbox"}
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert needed <= {name for names in copied for name in names.split()}
    let_in = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert {f"!{name}" for name in needed} <= set(let_in)
