"""Indexes: every section, in order, in bounded memory."""
from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from blake3 import blake3

from .damage import Damage
from .digests import INDEX, digest
from .limits import INDEX_BUCKET_BITS, INDEX_PACKS, INDEX_RECORDS, INDEX_SUPERSEDED
from .places import Places
from .store import StoredObject

TRAILER_BYTES = 144
RECORD_BYTES = 44
PACK_BYTES = 20
ID_BYTES = 16
FILTER_BYTES = 64
_trailer = struct.Struct("<8s16sQIIB7s32s32s32s")
_record = struct.Struct("<32sIII")


@dataclass(frozen=True)
class Sections:
    """Where the sections begin; each ends where the next begins, and the filter where the trailer does."""

    records: int
    packs: int
    superseded: int
    buckets: int
    filter: int
    bucket_bits: int


def read_index(index: StoredObject, index_id: bytes, places: Places) -> None:
    """Throws Damage; else its packs and what it supersedes are with the places."""
    sections = _sections(index, index_id)
    _check_packs(index, sections, places)
    _check_superseded(index, sections)
    _check_records(index, sections, places)
    _add(index, index_id, sections, places)


def _sections(index: StoredObject, index_id: bytes) -> Sections:
    if index.size < TRAILER_BYTES:
        raise Damage(f"an index of {index.size} bytes")
    end = index.size - TRAILER_BYTES
    trailer = index.read(end, TRAILER_BYTES)
    magic, found_id, n, p, s, b, zeros, records_digest, rest_digest, trailer_digest = _trailer.unpack(trailer)
    if digest(trailer[:112]) != trailer_digest:
        raise Damage("its trailer does not have its digest")
    if magic != INDEX or zeros != bytes(7):
        raise Damage("it does not end with the trailer of an index")
    if found_id != index_id:
        raise Damage(f"its trailer is that of {found_id.hex()}")
    if not (1 <= n <= INDEX_RECORDS and 1 <= p <= min(n, INDEX_PACKS) and s <= INDEX_SUPERSEDED and b <= INDEX_BUCKET_BITS):
        raise Damage(f"{n} records, {p} packs, {s} superseded, 2^{b} buckets")
    packs = RECORD_BYTES * n
    superseded = packs + PACK_BYTES * p
    buckets = superseded + ID_BYTES * s
    bits = buckets + 4 * (2**b + 1)
    if bits + FILTER_BYTES * 2**b != end:
        raise Damage(f"{index.size} bytes, and its sections have {bits + FILTER_BYTES * 2**b + TRAILER_BYTES}")
    if _digest_of(index, 0, packs) != records_digest or _digest_of(index, packs, end) != rest_digest:
        raise Damage("its sections do not have their digests")
    if b != _fewest_bits(n):
        raise Damage(f"2^{b} buckets for {n} records")
    return Sections(0, packs, superseded, buckets, bits, b)


def _fewest_bits(records: int) -> int:
    bits = 0
    while records > 64 * 2**bits and bits < INDEX_BUCKET_BITS:
        bits += 1
    return bits


def _digest_of(index: StoredObject, at: int, end: int) -> bytes:
    hasher = blake3()
    for piece in index.stream(at, end):
        hasher.update(piece)
    return hasher.digest()


def _check_packs(index: StoredObject, sections: Sections, places: Places) -> None:
    before = b""
    records = 0
    is_known = True
    for row in _rows(index, sections.packs, sections.superseded, PACK_BYTES):
        pack_id, size = row[:ID_BYTES], int.from_bytes(row[ID_BYTES:], "little")
        if pack_id <= before:
            raise Damage("its packs are not sorted")
        before = pack_id
        pack = places.pack(pack_id)
        if pack is None:
            raise Damage(f"pack {pack_id.hex()} is not there")
        if pack.bytes != size:
            raise Damage(f"pack {pack_id.hex()} has {pack.bytes} bytes, and {size} here")
        is_known = is_known and pack.chunks is not None
        records += pack.chunks or 0
    if is_known and records != sections.packs // RECORD_BYTES:
        raise Damage(f"{sections.packs // RECORD_BYTES} records, and its packs have {records} chunks")


def _check_superseded(index: StoredObject, sections: Sections) -> None:
    before = b""
    for other in _rows(index, sections.superseded, sections.buckets, ID_BYTES):
        if other <= before:
            raise Damage("what it supersedes is not sorted")
        before = other


def _check_records(index: StoredObject, sections: Sections, places: Places) -> None:
    @lru_cache(maxsize=65_536)
    def pack_id(number: int) -> bytes:
        if number >= (sections.superseded - sections.packs) // PACK_BYTES:
            raise Damage(f"a record of pack {number}")
        return index.read(sections.packs + PACK_BYTES * number, ID_BYTES)

    @lru_cache(maxsize=65_536)
    def has_footer(pack: bytes) -> bool:
        found = places.pack(pack)
        return found is not None and found.chunks is not None

    buckets = _Buckets(index, sections)
    before = (b"", b"", 0)
    for row in _rows(index, sections.records, sections.packs, RECORD_BYTES):
        name, number, offset, stored = _record.unpack(row)
        pack = pack_id(number)
        if (name, pack, offset) <= before:
            raise Damage(f"its records are not sorted, or one is there twice: {name.hex()}")
        before = (name, pack, offset)
        buckets.take(name)
        place = places.at(pack, offset)
        if has_footer(pack) and (place is None or (place.digest, place.stored) != (name, stored)):
            raise Damage(f"{name.hex()} is not at {offset} of {pack.hex()} with {stored} bytes, by its footer")
    buckets.end()


class _Buckets:
    """Buckets and filter, compared with what records in order make of them."""

    def __init__(self, index: StoredObject, sections: Sections) -> None:
        self._numbers = _rows(index, sections.buckets, sections.filter, 4)
        self._filters = _rows(index, sections.filter, index.size - TRAILER_BYTES, FILTER_BYTES)
        self._bits = sections.bucket_bits
        self._bucket = 0
        self._records = 0
        self._filter = bytearray(FILTER_BYTES)
        self._compare_number()

    def take(self, name: bytes) -> None:
        bucket = int.from_bytes(name[:4], "big") >> (32 - self._bits)
        while self._bucket < bucket:
            self._close()
        for at in range(8, 18, 2):
            bit = int.from_bytes(name[at : at + 2], "little") % 512
            self._filter[bit // 8] |= 1 << bit % 8
        self._records += 1

    def end(self) -> None:
        while self._bucket < 2**self._bits:
            self._close()

    def _close(self) -> None:
        if next(self._filters) != self._filter:
            raise Damage(f"the filter of bucket {self._bucket} is not that of its records")
        self._filter = bytearray(FILTER_BYTES)
        self._bucket += 1
        self._compare_number()

    def _compare_number(self) -> None:
        found = int.from_bytes(next(self._numbers), "little")
        if found != self._records:
            raise Damage(f"{found} records before bucket {self._bucket}, where there are {self._records}")


def _add(index: StoredObject, index_id: bytes, sections: Sections, places: Places) -> None:
    for row in _rows(index, sections.packs, sections.superseded, PACK_BYTES):
        places.database.execute("INSERT INTO indexed VALUES (?, ?)", (index_id, row[:ID_BYTES]))
    for other in _rows(index, sections.superseded, sections.buckets, ID_BYTES):
        places.database.execute("INSERT INTO superseded VALUES (?, ?)", (other, index_id))


def _rows(index: StoredObject, at: int, end: int, length: int) -> Iterator[bytes]:
    while at < end:
        block = index.read(at, min(length * 16_384, end - at))
        for start in range(0, len(block), length):
            yield block[start : start + length]
        at += len(block)
