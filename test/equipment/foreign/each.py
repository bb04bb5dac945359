"""Judges many repositories, which tests have left."""
from __future__ import annotations

import os
from collections import Counter

from .judge import judge


def judge_each(directory: str) -> int:
    """Beside each there may be a text that says which test made it."""
    codes: Counter[int] = Counter()
    counts: Counter[str] = Counter()
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if not os.path.isdir(path):
            continue
        report = judge(path, [])
        codes[report.exit_code()] += 1
        counts.update(report.counts)
        if report.findings:
            first = report.findings[0]
            print(f"{_test_of(path)} {name}: {report.counts['findings']} findings, the first: {first['key']} {first['what']}")
    print(f"clean {codes[0]}, damaged {codes[9]}, not supported {codes[10]}; {dict(sorted(counts.items()))}")
    return 0 if codes.total() == codes[0] else 9


def _test_of(path: str) -> str:
    try:
        with open(f"{path}.txt", encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""
