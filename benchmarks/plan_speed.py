"""How fast a plan is made, stage by stage, beside two other ways to apply the same ignore rules.

    python -m benchmarks.plan_speed [--sizes 1000 10000 100000] [--rounds 5]

Everything runs on one thread, in one process and in the same run. Each number is the best of the
rounds. Where an aim is missed, a line says so.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import email_validator
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from bothways.config.mapping import Mapping
from bothways.transform.domains import suggestions
from bothways.transform.ignore import Rules, ignore_reasons
from bothways.transform.match import Matches, match
from bothways.transform.merge import merge
from bothways.transform.normalise import email_keys

MAPPINGS = Path(__file__).parents[1] / "include" / "mappings"
AIM_PEOPLE = 100_000
AIM_ROWS = 300_000
AIM_POLARS = 1.5
FIELDS = ("first_name", "last_name", "job_title", "phone", "city", "country", "postcode", "company")
MAPPING = Mapping.model_validate(
    {
        "entity": "contact",
        "fields": {name: {"crm": name, "marketing": name, "max_length": 50} for name in FIELDS},
    }
)
DIRT = {
    "typo": 0.02,
    "role": 0.02,
    "empty": 0.02,
    "broken": 0.01,
    "capitals": 0.10,
    "idn": 0.01,
    "again": 0.02,
}


def entries(name: str) -> tuple[str, ...]:
    """Return the entries of a shipped file."""
    lines = (MAPPINGS / name).read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def addresses(people: int, chance: np.random.Generator) -> list[str | None]:
    """Return addresses, half at a well-known host, half at companies, with real lists' dirt."""
    kinds = chance.choice([*DIRT, "plain"], size=people, p=[*DIRT.values(), 1 - sum(DIRT.values())])
    companies = chance.integers(0, max(people // 5, 1), size=people)
    known = chance.random(people) < 0.5
    found: list[str | None] = []
    for number, kind in enumerate(kinds):
        domain = "gmail.com" if known[number] else f"company{companies[number]}.example"
        plain = f"anna.muster{number}@{domain}"
        found.append(
            {
                "typo": f"anna.muster{number}@gnail.com",
                "role": f"info@company{number}.example",
                "empty": None,
                "broken": f"anna muster{number}",
                "capitals": f" {plain.title()} ",
                "idn": f"anna{number}@bücher{companies[number] % 50}.example",
                "again": f"anna.muster{number // 2}@gmail.com",
            }.get(str(kind), plain)
        )
    return found


def crm_rows(people: int, chance: np.random.Generator) -> pd.DataFrame:
    """Return CONTACTS of the CRM."""
    statuses = chance.choice(
        ["mailable", "unsubscribed", "bounced"], size=people, p=[0.95, 0.03, 0.02]
    )
    columns = {
        "entity": pa.array(["contact"] * people),
        "id": pa.array([f"00000000-0000-4000-8000-{number:012}" for number in range(people)]),
        "email": pa.array(addresses(people, chance), pa.string()),
        "status": pa.array(statuses, pa.string()),
        "active": pa.array(chance.random(people) < 0.98),
        "modified_at": pa.array(chance.integers(0, 10**15, people)).cast(
            pa.timestamp("us", tz="UTC")
        ),
        "merged_into": pa.nulls(people, pa.string()),
        "deleted": pa.array(np.zeros(people, dtype=bool)),
    }
    return pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype)


def platform_rows(crm: pd.DataFrame) -> pd.DataFrame:
    """Return the same people on the platform, one contact per address, every tenth missing."""
    keys = crm["email_key"].dropna().drop_duplicates().reset_index(drop=True)
    keys = keys[keys.index % 10 != 0]
    ids = pd.Series([str(10**6 + number) for number in keys.index], index=keys.index)
    return pd.DataFrame({"id": ids, "email_key": keys, "deleted": False}).reset_index(drop=True)


def links_of(found: Matches) -> pd.DataFrame:
    """Return what the store keeps of a first run: every other link, so that half is still new."""
    names = ["entity", "crm_id", "marketing_id", "email_key", "is_primary"]
    return found.pairs[names].iloc[::2].reset_index(drop=True)


def values(
    people: int, chance: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return base, CRM and platform values; a twentieth of each field changed on either side."""
    index = pd.RangeIndex(people)
    sides: tuple[dict[str, Any], ...] = ({}, {}, {})
    for name in FIELDS:
        base = np.char.add(f"{name} ", chance.integers(0, 5_000, people).astype(str))
        sides[0][name] = base
        for side in sides[1:]:
            side[name] = np.where(chance.random(people) < 0.05, np.char.add(base, " new"), base)
    text = pd.ArrowDtype(pa.string())
    frames = [
        pd.DataFrame(
            {f"field:{name}": pd.array(side[name].tolist(), dtype=text) for name in side},
            index=index,
        )
        for side in sides
    ]
    return frames[0], frames[1], frames[2]


def polars_rules(frame: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Apply the same six rules in polars; typo domains by their distinct values as well."""
    key = pl.col("email").str.strip_chars().str.to_lowercase()
    atom = r"[^\s@.<>()\[\],;:\"\\]+"
    label = r"[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?"
    form = rf"^{atom}(?:\.{atom})*@(?:{label}\.)+\p{{L}}{{2,}}$"
    keyed = frame.with_columns(key=key).with_columns(
        local=pl.col("key").str.split_exact("@", 1).struct.field("field_0"),
        domain=pl.col("key").str.split_exact("@", 1).struct.field("field_1"),
    )
    distinct = keyed["domain"].drop_nulls().unique()
    slips = distinct.filter(
        pl.Series(
            suggestions(distinct.to_arrow().cast(pa.string()), rules.known_domains).is_valid()
        )
    )
    valid = (
        pl.col("key").str.contains(form)
        & (pl.col("key").str.len_chars() <= 254)
        & (pl.col("local").str.len_chars() <= 64)
        & ~pl.col("domain").is_in(slips.implode())
    )
    reason = (
        pl.when(pl.col("key").is_null() | (pl.col("key") == ""))
        .then(pl.lit("empty"))
        .when(~valid)
        .then(pl.lit("invalid"))
        .when(pl.col("local").is_in(list(rules.role_names)))
        .then(pl.lit("role"))
        .when(
            pl.col("status").is_in(["unsubscribed", "complained", "suppressed"]).any().over("key")
        )
        .then(pl.lit("do_not_mail"))
        .when((pl.col("status") == "bounced").any().over("key"))
        .then(pl.lit("bounced"))
    )
    judged = keyed.with_columns(reason=reason).with_row_index("row")
    fit = judged.filter(pl.col("reason").is_null()).sort(
        ["active", "modified_at", "id"], descending=[True, True, False]
    )
    again = fit.filter(~pl.col("key").is_first_distinct())["row"]
    return judged.with_columns(
        reason=pl.when(pl.col("row").is_in(again.implode()))
        .then(pl.lit("duplicate"))
        .otherwise("reason")
    )


def rules_row_by_row(rows: pd.DataFrame, rules: Rules) -> list[str | None]:
    """Apply the rules as most scripts do: a loop, with email-validator on each address."""
    roles, seen = set(rules.role_names), set()
    found: list[str | None] = []
    for email, status in zip(rows["email"].tolist(), rows["status"].tolist(), strict=True):
        reason: str | None = None
        if email is pd.NA or not email.strip():
            reason = "empty"
        else:
            try:
                key = email_validator.validate_email(
                    email.strip().lower(), check_deliverability=False
                ).ascii_email
            except email_validator.EmailNotValidError:
                key = None
            if key is None:
                reason = "invalid"
            elif key.partition("@")[0] in roles:
                reason = "role"
            elif status in {"unsubscribed", "complained", "suppressed"}:
                reason = "do_not_mail"
            elif status == "bounced":
                reason = "bounced"
            elif key in seen:
                reason = "duplicate"
            seen.add(key)
        found.append(reason)
    return found


def best(rounds: int, work: Callable[[], object]) -> float:
    """Return the CPU seconds of the fastest round: others may be at work on this machine."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def line(name: str, seconds: float, people: int, note: str = "") -> None:
    """Print one stage."""
    sys.stdout.write(
        f"{name:34}{seconds * 1000:10.1f} ms{people / seconds:14,.0f} rows/s  {note}\n"
    )


def measure(people: int, rounds: int) -> None:
    """Measure and print one size."""
    chance = np.random.default_rng(1)
    rules = Rules(
        role_names=entries("role_addresses.txt"), known_domains=entries("known_domains.txt")
    )
    crm = crm_rows(people, chance)
    crm["email_key"] = email_keys(crm["email"])
    platform = platform_rows(crm)
    none = pd.DataFrame(columns=["entity", "crm_id", "marketing_id", "email_key", "is_primary"])
    known = links_of(match(crm, platform, none))
    base, ours, theirs = values(people, chance)
    times = crm["modified_at"]

    sys.stdout.write(f"{people:,} people, one thread, best of {rounds}\n\n")
    stages = {
        "normalise": lambda: email_keys(crm["email"]),
        "rules": lambda: ignore_reasons(crm, rules),
        "match (half linked, half new)": lambda: match(crm, platform, known),
        f"merge ({len(FIELDS)} fields, 5 % changed)": lambda: merge(
            base, ours, theirs, MAPPING, crm_modified=times, marketing_modified=times
        ),
    }
    spent = {name: best(rounds, work) for name, work in stages.items()}
    for name, seconds in spent.items():
        line(name, seconds, people)
    total = sum(spent.values())
    line("plan", total, people)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform != "darwin" else 1024**2
    )
    sys.stdout.write(f"{'peak memory of the process so far':34}{memory:10.0f} MiB\n\n")

    mine = spent["normalise"] + spent["rules"]
    line("normalise + rules, Bothways", mine, people)
    frame = pl.from_arrow(pa.Table.from_pandas(crm.drop(columns="email_key"), preserve_index=False))
    theirs_time = best(rounds, lambda: polars_rules(frame, rules))  # type: ignore[arg-type]
    ratio = mine / theirs_time
    line(
        "the same in polars",
        theirs_time,
        people,
        f"Bothways takes {ratio:.2f} times as long",
    )
    slow = best(1, lambda: rules_row_by_row(crm, rules))
    line(
        "row by row with email-validator",
        slow,
        people,
        f"Bothways is {slow / mine:.0f} times as fast",
    )
    judge(people, people / total, ratio)


def judge(people: int, speed: float, ratio: float) -> None:
    """Return the aims that are missed; the whole plan's is set for 100,000 people."""
    if people == AIM_PEOPLE and speed < AIM_ROWS:
        sys.stdout.write(f"aim missed: plan makes {speed:,.0f} rows/s, not {AIM_ROWS:,}\n")
    if ratio > AIM_POLARS:
        sys.stdout.write(f"aim missed: rules take {ratio:.2f} times polars, not {AIM_POLARS}\n")
    sys.stdout.write("\n")


def main() -> None:
    """Measure and print each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    pa.set_cpu_count(1)
    for people in options.sizes:
        measure(people, options.rounds)


if __name__ == "__main__":
    main()
