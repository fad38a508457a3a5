"""What the pages for people name is there: links, commands, files, tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from bothways.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TOP = {path.name for path in ROOT.iterdir()}
FILES = {
    path.relative_to(ROOT).as_posix()
    for top in ROOT.iterdir()
    if top.is_dir() and not top.name.startswith(".")
    for path in top.rglob("*")
}

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)", re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]+(?:\n[^`\n]+)?`|^(?: {4}\S.*\n)+", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
FENCED = re.compile(r"^( *)```.*?^ *```", re.DOTALL | re.MULTILINE)
PLACEHOLDER = re.compile(r"[<>*{}$…]|\bacme\b")
PATH = re.compile(r"\.?\w[\w.-]*(/[\w.-]+)*/?")
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
SUFFIXES = {".py", ".md", ".yaml", ".toml", ".txt", ".env", ".sh", ".sql", ".in", ".css", ".js"}
# Made by the commands that the pages explain, or by the person who reads them.
MADE = re.compile(r"\.bothways(/|$)|pools\.json$|\.env$|airflow\.cfg$")


def pages() -> list[pytest.ParameterSet]:
    return [pytest.param(page.read_text("utf-8"), page, id=page.name) for page in PAGES]


def anchors(page: Path) -> set[str]:
    """Return the fragments by which a page's headings are linked to."""
    without_code = FENCED.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ +(.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def named_paths(text: str) -> set[str]:
    """Return what stands in backticks and looks like a file or folder of the project."""
    inline = INLINE.findall(FENCED.sub("", text))
    found = {item.strip() for item in inline if not PLACEHOLDER.search(item)}
    return {
        item
        for item in found
        if PATH.fullmatch(item)
        and not MADE.match(item)
        and (Path(item).suffix in SUFFIXES or ("/" in item and item.split("/")[0] in TOP))
    }


def exists(name: str) -> bool:
    """Return whether a file exists; a page about a package names its modules alone."""
    if (ROOT / name).exists():
        return True
    return name.split("/", maxsplit=1)[0] not in TOP and any(
        path.endswith("/" + name.rstrip("/")) for path in FILES
    )


@pytest.mark.parametrize(("text", "page"), pages())
def test_every_relative_link_leads_somewhere(text: str, page: Path) -> None:
    dead = []
    for target in LINK.findall(FENCED.sub("", text)):
        path, _, fragment = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (fragment and fragment not in anchors(file)):
            dead.append(target)
    assert not dead


@pytest.mark.parametrize(("text", "page"), pages())
def test_every_make_target_is_in_the_makefile(text: str, page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    code = "\n".join(CODE.findall(text))
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code)) <= targets


@pytest.mark.parametrize(("text", "page"), pages())
def test_every_bothways_command_and_its_options_are_there(text: str, page: Path) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    wrong = []
    for name, rest in re.findall(
        r"(?<![\w/.-])bothways ([a-z][a-z-]*)((?: +[^\n`|&>;#]+)?)", "\n".join(CODE.findall(text))
    ):
        known = {
            option for item in getattr(commands.get(name), "params", []) for option in item.opts
        }
        if name not in commands or not set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known:
            wrong.append(f"{name}{rest}")
    assert not wrong


@pytest.mark.parametrize(("text", "page"), pages())
def test_every_file_that_is_named_is_there(text: str, page: Path) -> None:
    assert {name for name in named_paths(text) if not exists(name)} == set()


@pytest.mark.parametrize(("text", "page"), pages())
def test_every_test_that_is_named_is_there(text: str, page: Path) -> None:
    missing = [
        f"{file}::{name}"
        for file, name in TEST.findall(text)
        if not (ROOT / file).exists() or f"def {name}(" not in (ROOT / file).read_text("utf-8")
    ]
    assert not missing


@pytest.mark.parametrize("page", ["adding-a-connector.md", "adding-a-sync-type.md"])
def test_whoever_copies_the_code_of_a_page_has_the_package_that_is_tested(page: str) -> None:
    """`tests/packages` builds, installs and runs the package in `tests/third_party`."""
    package = ROOT / "tests" / "third_party"
    files = [*package.rglob("*.py"), package / "pyproject.toml"]
    code = [path.read_text("utf-8") for path in files]
    blocks = re.findall(
        r"```(?:python|toml)\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL
    )
    theirs = [block for block in blocks if "bothways.testing" not in block]
    assert theirs
    for block in theirs:
        assert any(block in text for text in code), block
