"""Packs: footer, trailer, and every stored chunk."""
from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from blake3 import blake3

from .damage import Damage
from .digests import PACK_FOOTER, PACK_TRAILER, digest
from .limits import LEAST_STORED_BYTES, MOST_STORED_BYTES, PACK_CHUNKS
from .store import StoredObject
from .stored_chunk import CHUNKS, PAGES, Verified, verified

TRAILER_BYTES = 80
_head = struct.Struct("<8s16sB3sIQ")
_entry = struct.Struct("<32sI")
_trailer = struct.Struct("<8sII32s32s")


@dataclass(frozen=True)
class Footer:
    kind: int
    raw_bytes: int
    data_bytes: int
    data_digest: bytes
    entries: bytes

    def chunks(self) -> Iterator[tuple[bytes, int, int]]:
        """Digest, offset and stored bytes."""
        at = 0
        for name, stored in _entry.iter_unpack(self.entries):
            yield name, at, stored
            at += stored


def read_footer(pack: StoredObject, pack_id: bytes) -> Footer:
    if pack.size < TRAILER_BYTES + _head.size:
        raise Damage(f"a pack of {pack.size} bytes")
    trailer = pack.read(pack.size - TRAILER_BYTES, TRAILER_BYTES)
    magic, footer_bytes, zero, data_digest, footer_digest = _trailer.unpack(trailer)
    if magic != PACK_TRAILER:
        raise Damage("it does not end with a trailer")
    data_bytes = pack.size - TRAILER_BYTES - footer_bytes
    count = (footer_bytes - _head.size) // _entry.size
    if (footer_bytes - _head.size) % _entry.size != 0 or not 1 <= count <= PACK_CHUNKS or data_bytes < 0:
        raise Damage(f"a footer of {footer_bytes} bytes")
    footer = pack.read(data_bytes, footer_bytes)
    if digest(footer, trailer[:48]) != footer_digest:
        raise Damage("its footer and trailer do not have their digest")
    return _decoded(footer, count, data_bytes, data_digest, zero, pack_id)


def _decoded(footer: bytes, count: int, data_bytes: int, data_digest: bytes, zero: int, pack_id: bytes) -> Footer:
    magic, found_id, kind, zeros, found_count, raw_bytes = _head.unpack_from(footer)
    if magic != PACK_FOOTER or found_count != count:
        raise Damage("its footer is none, or of another length")
    if zero != 0 or zeros != bytes(3):
        raise Damage("what should be zero in footer or trailer is not")
    if found_id != pack_id:
        raise Damage(f"its footer is that of {found_id.hex()}")
    if kind not in (CHUNKS, PAGES):
        raise Damage(f"a pack of kind {kind}")
    decoded = Footer(kind, raw_bytes, data_bytes, data_digest, footer[_head.size :])
    end = 0
    for _, at, stored in decoded.chunks():
        if not LEAST_STORED_BYTES <= stored <= MOST_STORED_BYTES:
            raise Damage(f"its footer has {stored} stored bytes at {at}")
        end = at + stored
    if end != data_bytes:
        raise Damage(f"its footer has chunks up to {end}, and lies at {data_bytes}")
    return decoded


@dataclass(frozen=True)
class Scanned:
    digest: bytes
    offset: int
    stored: int
    chunk: Verified | Damage


def scan(pack: StoredObject, footer: Footer) -> Iterator[Scanned]:
    """Every stored chunk. Throws Damage at the end, when all of them are not what footer and trailer say."""
    data = blake3()
    raw_bytes: int | None = 0
    for name, at, stored_bytes in footer.chunks():
        stored = pack.read(at, stored_bytes)
        data.update(stored)
        try:
            chunk = verified(stored, name, footer.kind, None)
            raw_bytes = None if raw_bytes is None else raw_bytes + chunk.raw_bytes
            yield Scanned(name, at, stored_bytes, chunk)
        except Damage as damage:
            raw_bytes = None
            yield Scanned(name, at, stored_bytes, damage)
    if data.digest() != footer.data_digest:
        raise Damage("its stored chunks do not have the digest that its trailer says")
    if raw_bytes is not None and raw_bytes != footer.raw_bytes:
        raise Damage(f"{raw_bytes} bytes before compression, and its footer says {footer.raw_bytes}")
