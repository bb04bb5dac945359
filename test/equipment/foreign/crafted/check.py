"""Judges what every case makes of one repository, and bits that flip in it."""
from __future__ import annotations

import os
import random
import shutil
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

from ..judge import judge
from ..report import Report
from ..write import write
from . import index_cases, journal_cases, json_cases, pack_cases, store_cases
from .case import Case
from .flips import flips
from .repository import Repository

OF = {
    "store": store_cases.CASES,
    "json": json_cases.CASES,
    "pack": pack_cases.CASES,
    "index": index_cases.CASES,
    "journal": journal_cases.CASES,
}


def check(directory: str, seed: int, bits: int) -> dict[str, object]:
    """How many there are, and what is not as it should be."""
    good, flipped = os.path.join(directory, "good"), os.path.join(directory, "flipped")
    disks = write(good, seed)["disks"]
    shutil.copytree(good, flipped)
    count = len(all_cases())
    with ProcessPoolExecutor() as pool:
        missed = pool.submit(flips, flipped, disks, random.Random(seed), bits)
        failed = [told for told in pool.map(_judged, range(count), repeat(directory), chunksize=8) if told]
        return {"cases": count, "flips": bits, "failed": [*failed, *missed.result()]}


def craft(directory: str, seed: int) -> list[dict[str, object]]:
    """Leaves a repository for every case, for readers that are others."""
    write(os.path.join(directory, "good"), seed)
    for case in all_cases():
        _make(case, os.path.join(directory, case.name), os.path.join(directory, "good"))
    return [{"name": case.name, "exitCode": case.exit_code} for case in all_cases()]


def all_cases() -> list[Case]:
    return [
        Case(f"{kind}: {case.name}", case.exit_code, case.change, case.says) for kind, cases in OF.items() for case in cases
    ]


def _judged(number: int, directory: str) -> str | None:
    case = all_cases()[number]
    path = os.path.join(directory, f"case{number}")
    _make(case, path, os.path.join(directory, "good"))
    try:
        return _difference(case, judge(path, []))
    finally:
        shutil.rmtree(path)


def _difference(case: Case, found: Report) -> str | None:
    told = " | ".join(f"{finding['key']}: {finding['what']}" for finding in found.findings)
    if found.exit_code() == case.exit_code and case.says in told:
        return None
    return f"{case.name}: {found.exit_code()} instead of {case.exit_code}; {case.says!r} in {told[:500]}"


def _make(case: Case, path: str, good: str) -> None:
    shutil.copytree(good, path, copy_function=os.link)  # what a case changes it writes anew
    case.change(Repository(path))
