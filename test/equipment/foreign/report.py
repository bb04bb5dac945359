"""What a judgement says: counts, findings, and notes of what the format allows but somebody may want to know."""
from __future__ import annotations

from collections import Counter

from .damage import DAMAGED, UNSUPPORTED, Damage

MOST_OF_A_KEY = 16  # a whole lost disk is one thing to say, not a million


class Report:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.findings: list[dict[str, str]] = []
        self.notes: list[dict[str, str]] = []
        self.exports: list[dict[str, object]] = []
        self._said: Counter[tuple[str, str]] = Counter()

    def find(self, key: str, what: str, code: str = DAMAGED) -> None:
        self.counts["findings"] += 1
        if self._more("finding", key):
            self.findings.append({"key": key, "what": what, "code": code})

    def damage(self, key: str, damage: Damage) -> None:
        self.find(key, damage.what, damage.code)

    def note(self, key: str, what: str) -> None:
        self.counts["notes"] += 1
        if self._more("note", key):
            self.notes.append({"key": key, "what": what})

    def exit_code(self) -> int:
        if not self.findings:
            return 0
        return 10 if all(finding["code"] == UNSUPPORTED for finding in self.findings) else 9

    def as_json(self) -> dict[str, object]:
        counts = dict(sorted(self.counts.items()))
        return {"counts": counts, "findings": self.findings, "notes": self.notes, "exports": self.exports}

    def _more(self, kind: str, key: str) -> bool:
        self._said[kind, key] += 1
        return self._said[kind, key] <= MOST_OF_A_KEY
