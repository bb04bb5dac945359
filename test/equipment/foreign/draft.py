"""A repository that is being written: objects, what is known, and disks with their page maps."""
from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from uuid import UUID

from .digests import PAGE_CONTENT, ZERO_CONTENT, content_digest, digest
from .encode import IndexedPack, PackDraft, Piece, encode_chunk, encode_index, encode_page
from .keys import pack_key
from .reference import Reference
from .stored_chunk import CHUNKS, PAGES

PACK_PIECES = 16  # so that a small repository has several


@dataclass(frozen=True)
class DiskImage:
    data: bytes
    chunk_bytes: int
    frame_bytes: int
    missing: tuple[int, int] | None = None

    def chunks(self) -> list[bytes]:
        return [self.data[at : at + self.chunk_bytes] for at in range(0, len(self.data), self.chunk_bytes)]


@dataclass
class Draft:
    directory: str
    random: random.Random
    known: dict[tuple[int, bytes], Reference] = field(default_factory=dict)
    packs: dict[bytes, IndexedPack] = field(default_factory=dict)

    def id(self) -> bytes:
        return self.random.randbytes(16)

    def uuid(self) -> str:
        return str(UUID(bytes=self.random.randbytes(16), version=4))

    def put(self, key: str, data: bytes) -> None:
        path = os.path.join(self.directory, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)

    def remove(self, key: str) -> None:
        os.unlink(os.path.join(self.directory, key))

    def index(self, packs: list[bytes], superseded: list[bytes]) -> bytes:
        index_id = self.id()
        self.put(f"index/{index_id.hex()}", encode_index(index_id, [self.packs[each] for each in packs], superseded))
        return index_id


class PackSeries:
    """Packs of one kind, one after another."""

    def __init__(self, draft: Draft, kind: int) -> None:
        self._draft = draft
        self._kind = kind
        self._open = PackDraft(draft.id(), kind)
        self.written: list[bytes] = []

    def place(self, piece: Piece, anew: bool = False) -> Reference:
        known = self._draft.known.get((self._kind, piece.digest))
        if known and not anew:
            return known
        if len(self._open.pieces) == PACK_PIECES:
            self.close()
        reference = self._open.add(piece)
        self._draft.known[self._kind, piece.digest] = reference
        return reference

    def close(self) -> None:
        if self._open.pieces:
            data = self._open.encode()
            self._draft.put(pack_key(self._open.id), data)
            self._draft.packs[self._open.id] = IndexedPack(len(data), self._open.references())
            self.written.append(self._open.id)
        self._open = PackDraft(self._draft.id(), self._kind)


def place_chunks(series: PackSeries, image: DiskImage, bad: set[bytes]) -> list[Reference | None]:
    """`bad`: digests whose known place is marked, and that are stored anew."""
    frame_log = image.frame_bytes.bit_length() - 1
    placed: list[Reference | None] = []
    for data in image.chunks():
        piece = encode_chunk(data, frame_log)
        is_anew = piece.digest in bad
        bad.discard(piece.digest)
        placed.append(series.place(piece, is_anew) if any(data) else None)
    return placed


@dataclass(frozen=True)
class MappedDisk:
    root: Reference | None
    content: bytes


def place_pages(series: PackSeries, chunks: list[Reference | None]) -> MappedDisk:
    level = chunks
    contents = [reference.digest if reference else ZERO_CONTENT for reference in chunks]
    while True:
        pages = [level[at : at + 1024] for at in range(0, len(level), 1024)]
        names = [b"".join(contents[at : at + 1024]) for at in range(0, len(level), 1024)]
        level = [series.place(encode_page(page)) if any(page) else None for page in pages]
        contents = [digest(PAGE_CONTENT, name) if page else ZERO_CONTENT for name, page in zip(names, level)]
        if len(level) == 1:
            return MappedDisk(level[0], contents[0])


def disk_member(image: DiskImage, mapped: MappedDisk) -> dict[str, object]:
    name = content_digest(len(image.data), image.chunk_bytes, image.frame_bytes, mapped.content)
    member: dict[str, object] = {
        "sizeBytes": len(image.data),
        "chunkSizeBytes": image.chunk_bytes,
        "frameSizeBytes": image.frame_bytes,
        "dataBytes": sum(len(chunk) for chunk in image.chunks() if any(chunk)),
        "contentDigest": name.hex(),
    }
    if mapped.root:
        member["root"] = {
            "digest": mapped.root.digest.hex(),
            "packId": mapped.root.pack_id.hex(),
            "offsetBytes": mapped.root.offset,
            "storedBytes": mapped.root.stored,
        }
    if image.missing:
        member["missing"] = {"atBytes": image.missing[0], "lengthBytes": image.missing[1]}
    return member


def data_series(draft: Draft) -> PackSeries:
    return PackSeries(draft, CHUNKS)


def page_series(draft: Draft) -> PackSeries:
    return PackSeries(draft, PAGES)
