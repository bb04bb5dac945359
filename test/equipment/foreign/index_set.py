"""What indexes say of each other, and which packs have none."""
from __future__ import annotations

from .places import Places
from .report import Report

# An index may supersede one that was damaged, whose packs nobody knows, or one that is gone.
NOT_WHOLE = """
SELECT DISTINCT superseded.old, superseded.new FROM superseded JOIN indexed ON indexed.index_id = superseded.old
WHERE NOT EXISTS (SELECT 1 FROM indexed AS other WHERE other.index_id = superseded.new AND other.pack = indexed.pack)
"""
STILL_THERE = """
SELECT DISTINCT old, new FROM superseded WHERE EXISTS (SELECT 1 FROM indexed WHERE indexed.index_id = superseded.old)
"""
WITHOUT = """
SELECT id FROM pack WHERE NOT EXISTS (SELECT 1 FROM indexed WHERE indexed.pack = pack.id
	AND NOT EXISTS (SELECT 1 FROM superseded WHERE superseded.old = indexed.index_id AND NOT EXISTS
		(SELECT 1 FROM superseded AS back WHERE back.old = superseded.new AND back.new = superseded.old)))
"""


def check_index_set(places: Places, report: Report) -> None:
    for old, new in places.database.execute(NOT_WHOLE):
        report.note(f"index/{new.hex()}", f"supersedes {old.hex()}, and lacks packs of it")
    for old, new in places.database.execute(STILL_THERE):
        report.note(f"index/{old.hex()}", f"is superseded by {new.hex()}")
    for (pack,) in places.database.execute(WITHOUT):
        report.counts["packs without index"] += 1
        report.note(f"packs/{pack.hex()[:2]}/{pack.hex()}", "no index has it")
