"""What the footers say, in a temporary file: a repository has more chunks than memory has room for."""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from .pack import Footer, Scanned
from .reference import Reference
from .stored_chunk import Verified

TABLES = """
CREATE TABLE pack (id BLOB PRIMARY KEY, bytes INTEGER, chunks INTEGER) WITHOUT ROWID;
CREATE TABLE place (pack BLOB, offset INTEGER, stored INTEGER, digest BLOB, kind INTEGER, raw INTEGER, frame_log INTEGER,
	PRIMARY KEY (pack, offset)) WITHOUT ROWID;
CREATE INDEX place_by_digest ON place (digest, kind);
CREATE TABLE indexed (index_id BLOB, pack BLOB, PRIMARY KEY (index_id, pack)) WITHOUT ROWID;
CREATE TABLE superseded (old BLOB, new BLOB, PRIMARY KEY (old, new)) WITHOUT ROWID;
CREATE TABLE subtree (digest BLOB, height INTEGER, chunk_bytes INTEGER, frame_bytes INTEGER, bytes INTEGER,
	content BLOB, data INTEGER, PRIMARY KEY (digest, height, chunk_bytes, frame_bytes, bytes)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Place:
    """`raw` and `frame_log` are None where the stored chunk is not what the footer says."""

    stored: int
    digest: bytes
    kind: int
    raw: int | None
    frame_log: int | None


@dataclass(frozen=True)
class Pack:
    """`chunks` is None where its footer cannot be read."""

    bytes: int
    chunks: int | None


class Places:
    def __init__(self) -> None:
        self.database = sqlite3.connect("", isolation_level=None)  # a file that is gone with the connection
        self.database.executescript(TABLES + "BEGIN;")

    def add_pack(self, pack_id: bytes, size: int, chunks: int | None) -> None:
        self.database.execute("INSERT INTO pack VALUES (?, ?, ?)", (pack_id, size, chunks))

    def add(self, pack_id: bytes, footer: Footer, found: Scanned) -> None:
        good = found.chunk if isinstance(found.chunk, Verified) else None
        sizes = (good.raw_bytes, good.frame_log) if good else (None, None)
        row = (pack_id, found.offset, found.stored, found.digest, footer.kind, *sizes)
        self.database.execute("INSERT INTO place VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def pack(self, pack_id: bytes) -> Pack | None:
        row = self.database.execute("SELECT bytes, chunks FROM pack WHERE id = ?", (pack_id,)).fetchone()
        return Pack(*row) if row else None

    def at(self, pack_id: bytes, offset: int) -> Place | None:
        query = "SELECT stored, digest, kind, raw, frame_log FROM place WHERE pack = ? AND offset = ?"
        row = self.database.execute(query, (pack_id, offset)).fetchone()
        return Place(*row) if row else None

    def of_digest(self, digest: bytes, kind: int) -> Iterator[tuple[Reference, Place]]:
        """Places whose stored chunk was found right."""
        query = "SELECT pack, offset, stored, raw, frame_log FROM place WHERE digest = ? AND kind = ? AND raw IS NOT NULL"
        for pack_id, offset, stored, raw, frame_log in self.database.execute(query, (digest, kind)):
            yield Reference(digest, pack_id, offset, stored), Place(stored, digest, kind, raw, frame_log)
