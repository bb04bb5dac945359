"""What is wrong with an object, by the codes of docs/format.md."""
from __future__ import annotations

DAMAGED = "format_damaged"
UNSUPPORTED = "repository_unsupported"
MISSING = "chunk_missing"


class Damage(Exception):
    def __init__(self, what: str, code: str = DAMAGED) -> None:
        super().__init__(what)
        self.what = what
        self.code = code
