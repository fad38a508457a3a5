"""What is wrong with a configuration file, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from bothways.errors import ConfigurationError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that a person must change in a file.

    Attributes:
        file: The file, relative to `include/`, or `package <name>` for an installed package.
        line: Where the key, or what it should stand in, begins; counted from 1, 0 for a package.
        key: The path of the key, as `lists.newsletter.entity`; "" for the file as a whole.
        message: What is wrong.
        remedy: What to do.
    """

    file: str
    line: int
    key: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}; {self.remedy}"

    @property
    def place(self) -> str:
        """File, line and key."""
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}" + (f" {self.key}" if self.key else "")


class FileProblems(ConfigurationError):
    """Configuration files are wrong; the text names every problem on a line of its own.

    Args:
        sentence: What cannot be done because of them.
        problems: All of them.
    """

    def __init__(self, sentence: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join([sentence, *map(str, self.problems)]))


def choice(written: object, allowed: Iterable[str]) -> str:
    """Return the remedy for a word that is none of the allowed ones: the near miss, and all."""
    words = sorted(allowed)
    near = get_close_matches(str(written).lower(), words, n=1)
    meant = f"did you mean `{near[0]}`? " if near else ""
    return f"{meant}Allowed: {', '.join(words) or 'none'}."
