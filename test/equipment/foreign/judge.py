"""Judges a whole repository, in the order in which one thing needs another."""
from __future__ import annotations

from .chunk_reader import ChunkReader
from .damage import Damage
from .export import Wanted, export
from .index import read_index
from .index_set import check_index_set
from .keys import objects, strange_names
from .limits import PACK_BYTES
from .imports import judge_imports
from .marks import judge_bad_places, judge_pins
from .opening import may_be_read, repository_id
from .pack import Scanned, read_footer, scan
from .places import Places
from .points import judge_point
from .reference import decode_all
from .report import Report
from .store import Absent, Store
from .stored_chunk import PAGES, Verified

MOST_INDEX_BYTES = 2**40


def judge(directory: str, exports: list[Wanted]) -> Report:
    report = Report()
    store = Store(directory)
    try:
        if may_be_read(store, report):
            identity = repository_id(store, report)
            if identity is not None:
                _judge(store, identity, exports, report)
    finally:
        store.close()
    return report


def _judge(store: Store, identity: str, exports: list[Wanted], report: Report) -> None:
    places = Places()
    strange_names(store, report)
    for key in objects(store, report, "packs"):
        _judge_pack(store, key, places, report)
    for key in objects(store, report, "index"):
        _judge_index(store, key, places, report)
    check_index_set(places, report)
    judge_bad_places(store, places, report)
    reader = ChunkReader(store, places, report)
    for key in objects(store, report, "points"):
        judge_point(store, key, identity, reader, places, report)
    judge_imports(store, identity, places, report)
    judge_pins(store, report)
    for wanted in exports:
        export(store, identity, wanted, reader, report)
    places.database.close()


def _judge_pack(store: Store, key: str, places: Places, report: Report) -> None:
    pack_id = bytes.fromhex(key.split("/")[2])
    try:
        with store.open(key, PACK_BYTES) as pack:
            report.counts["packs"] += 1
            try:
                footer = read_footer(pack, pack_id)
            except Damage:
                places.add_pack(pack_id, pack.size, None)
                raise
            places.add_pack(pack_id, pack.size, sum(1 for _ in footer.chunks()))
            for found in scan(pack, footer):
                places.add(pack_id, footer, found)
                report.counts["stored pages" if footer.kind else "stored chunks"] += 1
                if isinstance(found.chunk, Damage):
                    report.find(key, f"at {found.offset}: {found.chunk.what}", found.chunk.code)
                else:
                    _judge_content(found, found.chunk, footer.kind, key, report)
    except Damage as damage:
        report.damage(key, damage)
    except Absent:
        report.find(key, "is gone since it was listed")


def _judge_content(found: Scanned, chunk: Verified, kind: int, key: str, report: Report) -> None:
    if chunk.is_zero():
        report.find(key, f"at {found.offset}: {found.digest.hex()} is zero, and stored")
    if kind == PAGES:
        try:
            decode_all(chunk.frames[0])
        except Damage as damage:
            report.find(key, f"at {found.offset}: a page with {damage.what}", damage.code)


def _judge_index(store: Store, key: str, places: Places, report: Report) -> None:
    places.database.execute("SAVEPOINT one_index")
    try:
        with store.open(key, MOST_INDEX_BYTES) as index:
            read_index(index, bytes.fromhex(key.split("/")[1]), places)
            report.counts["indexes"] += 1
    except Damage as damage:
        places.database.execute("ROLLBACK TO one_index")
        report.damage(key, damage)
    except Absent:
        report.note(key, "is gone since it was listed")
    places.database.execute("RELEASE one_index")
