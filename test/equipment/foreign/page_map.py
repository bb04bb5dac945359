"""Walks the page map of a disk, from its root to its chunks."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .chunk_reader import ChunkReader
from .damage import Damage
from .digests import PAGE_CONTENT, ZERO_CONTENT, content_digest, digest
from .disk import Disk
from .places import Places
from .reference import Reference, decode_all
from .report import Report
from .stored_chunk import PAGES

VisitChunk = Callable[[Reference, int, int], None]
"""Reference, where the chunk begins in the disk, its bytes. Throws Damage for a chunk that cannot be had."""


@dataclass(frozen=True)
class Subtree:
    """`content` is None when something under it cannot be had."""

    content: bytes | None
    data_bytes: int


ZERO = Subtree(ZERO_CONTENT, 0)


class Walk:
    """`memory`: for what is the same under another root and need not be walked again; None where all has to be visited."""

    def __init__(
        self, disk: Disk, key: str, reader: ChunkReader, report: Report, visit: VisitChunk, memory: Places | None
    ) -> None:
        self._disk = disk
        self._key = key
        self._reader = reader
        self._report = report
        self._visit = visit
        self._memory = memory

    def run(self) -> bool:
        """Whether the disk is what its manifest says; all that is not is a finding."""
        disk = self._disk
        found = self._subtree(disk.root, disk.height(), 0, disk.chunks()) if disk.root else ZERO
        if found.content is None:
            return False
        named = content_digest(disk.size, disk.chunk_bytes, disk.frame_bytes, found.content)
        if named != disk.content_digest:
            self._report.find(self._key, f"content digest {disk.content_digest.hex()} is {named.hex()} by its pages")
        if found.data_bytes != disk.data_bytes:
            self._report.find(self._key, f"{disk.data_bytes} bytes of data are {found.data_bytes} by its pages")
        return named == disk.content_digest and found.data_bytes == disk.data_bytes

    def _subtree(self, root: Reference, height: int, first: int, chunks: int) -> Subtree:
        known = self._recall(root, height, first, chunks)
        if known:
            return known
        try:
            page = self._reader.read(root, PAGES, self._disk.page_bytes(height, chunks), self._key)
            entries = decode_all(page.frames[0])
        except Damage as damage:
            self._report.damage(self._key, damage)
            return Subtree(None, 0)
        self._report.counts["pages read"] += 1
        below = self._disk.entry_chunks(height)
        found: list[Subtree] = []
        for number, entry in enumerate(entries):
            at = first + number * below
            found.append(self._entry(entry, height, at, min(below, first + chunks - at)))
        contents = [each.content for each in found if each.content is not None]
        whole = len(contents) == len(found)
        total = Subtree(digest(PAGE_CONTENT, *contents) if whole else None, sum(each.data_bytes for each in found))
        self._remember(root, height, first, chunks, total)
        return total

    def _entry(self, entry: Reference | None, height: int, first: int, chunks: int) -> Subtree:
        if entry is None:
            return ZERO
        if height > 0:
            return self._subtree(entry, height - 1, first, chunks)
        size = self._disk.bytes_of(first, 1)
        try:
            self._visit(entry, first * self._disk.chunk_bytes, size)
            return Subtree(entry.digest, size)
        except Damage as damage:
            self._report.damage(self._key, damage)
            return Subtree(None, size)

    def _recall(self, root: Reference, height: int, first: int, chunks: int) -> Subtree | None:
        if self._memory is None:
            return None
        query = """SELECT content, data FROM subtree
            WHERE digest = ? AND height = ? AND chunk_bytes = ? AND frame_bytes = ? AND bytes = ?"""
        row = self._memory.database.execute(query, self._name(root, height, first, chunks)).fetchone()
        if row:
            self._report.counts["pages shared"] += 1
        return Subtree(*row) if row else None

    def _remember(self, root: Reference, height: int, first: int, chunks: int, total: Subtree) -> None:
        if self._memory is None or total.content is None:
            return  # what cannot be had is a finding of every point that needs it
        row = (*self._name(root, height, first, chunks), total.content, total.data_bytes)
        self._memory.database.execute("INSERT OR IGNORE INTO subtree VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def _name(self, root: Reference, height: int, first: int, chunks: int) -> tuple[bytes, int, int, int, int]:
        disk = self._disk
        return root.digest, height, disk.chunk_bytes, disk.frame_bytes, disk.bytes_of(first, chunks)
