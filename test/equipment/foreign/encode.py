"""Objects as bytes, as docs/format.md says a writer makes them."""
from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from itertools import accumulate
from uuid import UUID

import zstandard

from . import canonical
from .digests import INDEX, JOURNAL, PACK_FOOTER, PACK_TRAILER, chunk_digest, digest, number, page_digest
from .reference import Reference

RAW = 2**31
PAGE_FRAME_LOG = 16
ZERO_REFERENCE = bytes(56)


@dataclass(frozen=True)
class Piece:
    """A stored chunk or page."""

    digest: bytes
    stored: bytes
    raw_bytes: int


def encode_json(kind: str, members: dict[str, object]) -> bytes:
    whole: dict[str, object] = {**members, "type": kind, "version": 1}
    return canonical.serialize({**whole, "checksum": hashlib.sha256(canonical.serialize(whole)).hexdigest()})


def encode_chunk(data: bytes, frame_log: int) -> Piece:
    stored, digests = _stored(data, frame_log)
    return Piece(chunk_digest(len(data), digests), stored, len(data))


def encode_page(references: list[Reference | None]) -> Piece:
    data = b"".join(encode_reference(reference) for reference in references)
    stored, digests = _stored(data, PAGE_FRAME_LOG)
    return Piece(page_digest(len(data), digests[0]), stored, len(data))


def encode_reference(reference: Reference | None) -> bytes:
    if reference is None:
        return ZERO_REFERENCE
    return reference.digest + reference.pack_id + number(reference.offset, 4) + number(reference.stored, 4)


def _stored(data: bytes, frame_log: int) -> tuple[bytes, list[bytes]]:
    frames = [data[at : at + 2**frame_log] for at in range(0, len(data), 2**frame_log)]
    digests = [digest(frame) for frame in frames]
    table = bytes([1, frame_log]) + number(len(frames), 2)
    bodies: list[bytes] = []
    for frame, name in zip(frames, digests):
        body = _compressed(frame)
        is_raw = len(body) >= 0.95 * len(frame)
        bodies.append(frame if is_raw else body)
        table += number(len(bodies[-1]) + (RAW if is_raw else 0), 4) + name
    return table + b"".join(bodies), digests


def _compressed(frame: bytes) -> bytes:
    # Single-segment only when the window is not smaller than the content.
    window_log = max(10, (len(frame) - 1).bit_length())
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, source_size=len(frame), window_log=window_log, write_content_size=1, write_checksum=0, write_dict_id=0
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(frame)


@dataclass
class PackDraft:
    id: bytes
    kind: int
    pieces: list[Piece] = field(default_factory=list)
    length: int = 0

    def add(self, piece: Piece) -> Reference:
        reference = Reference(piece.digest, self.id, self.length, len(piece.stored))
        self.pieces.append(piece)
        self.length += len(piece.stored)
        return reference

    def references(self) -> list[Reference]:
        copy = PackDraft(self.id, self.kind)
        return [copy.add(piece) for piece in self.pieces]

    def encode(self) -> bytes:
        data = b"".join(piece.stored for piece in self.pieces)
        raw_bytes = sum(piece.raw_bytes for piece in self.pieces)
        footer = PACK_FOOTER + self.id + bytes([self.kind, 0, 0, 0]) + number(len(self.pieces), 4) + number(raw_bytes, 8)
        footer += b"".join(piece.digest + number(len(piece.stored), 4) for piece in self.pieces)
        trailer = PACK_TRAILER + number(len(footer), 4) + bytes(4) + digest(data)
        return data + footer + trailer + digest(footer, trailer)


@dataclass(frozen=True)
class IndexedPack:
    size: int
    references: list[Reference]


def encode_index(index_id: bytes, packs: list[IndexedPack], superseded: list[bytes]) -> bytes:
    by_id = sorted(packs, key=lambda pack: pack.references[0].pack_id)
    numbers = {pack.references[0].pack_id: place for place, pack in enumerate(by_id)}
    found = [reference for pack in by_id for reference in pack.references]
    found.sort(key=lambda each: (each.digest, each.pack_id, each.offset))
    bits = 0
    while len(found) > 64 * 2**bits:
        bits += 1
    records = b"".join(
        each.digest + struct.pack("<III", numbers[each.pack_id], each.offset, each.stored) for each in found
    )
    rest = b"".join(pack_id + number(by_id[place].size, 4) for pack_id, place in numbers.items())
    rest += b"".join(sorted(superseded)) + buckets_and_filter(found, bits)
    trailer = INDEX + index_id + struct.pack("<QIIB7x", len(found), len(by_id), len(superseded), bits)
    trailer += digest(records) + digest(rest)
    return records + rest + trailer + digest(trailer)


def buckets_and_filter(found: list[Reference], bits: int) -> bytes:
    counts = [0] * 2**bits
    filters = [0] * 2**bits
    for reference in found:
        bucket = int.from_bytes(reference.digest[:4], "big") >> (32 - bits)
        counts[bucket] += 1
        for bit in struct.unpack_from("<5H", reference.digest, 8):
            filters[bucket] |= 1 << bit % 512
    before = [0, *accumulate(counts)]
    return b"".join(number(count, 4) for count in before) + b"".join(number(each, 64) for each in filters)


@dataclass(frozen=True)
class RunDraft:
    """`references` is the number of chunks for a run of zero chunks, or of such as on a disk of the base."""

    disk: int
    first: int
    references: list[Reference] | int
    base_disk: int | None = None

    def encode(self) -> bytes:
        if isinstance(self.references, int):
            kind = 0 if self.base_disk is None else 2
            return struct.pack("<IHHQQ", self.disk, kind, self.base_disk or 0, self.first, self.references)
        head = struct.pack("<IIQQ", self.disk, 1, self.first, len(self.references))
        return head + b"".join(encode_reference(reference) for reference in self.references)


def encode_journal(import_id: UUID, place: int, attempt: bytes, begins: tuple[int, int], runs: list[RunDraft]) -> bytes:
    """`begins`: disk and chunk."""
    body = JOURNAL + import_id.bytes + struct.pack("<Q16sIIQ", place, attempt, begins[0], len(runs), begins[1])
    body += b"".join(run.encode() for run in runs)
    return body + digest(body)
