"""Builds the templates of the wheel from the files of the checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# What `bothways init` writes: in a checkout it reads the very same folders.
TEMPLATES = ("dags", "include/mappings")
METADATA = Path(".bothways", "metadata")


class BuildWithTemplates(build_py):
    """Copies DAG files and mappings into the package; an editable install needs no copy."""

    def run(self) -> None:
        """Build the package."""
        super().run()
        if self.editable_mode:
            return
        for folder in TEMPLATES:
            shutil.copytree(
                folder,
                Path(self.build_lib, "bothways", "templates", folder),
                ignore=shutil.ignore_patterns("__pycache__"),
                dirs_exist_ok=True,
            )


# Beside the sources the package's metadata would be on the path of an editable install a second
# time, and Airflow would register each plugin twice.
METADATA.mkdir(parents=True, exist_ok=True)

setup(
    cmdclass={"build_py": BuildWithTemplates},
    options={"egg_info": {"egg_base": str(METADATA)}},
)
