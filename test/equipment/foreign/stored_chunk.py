"""A table of frames and the frames: all that can be checked before one is decoded is checked before."""
from __future__ import annotations

import struct
from dataclasses import dataclass

import zstandard

from .damage import Damage
from .digests import chunk_digest, digest, page_digest
from .limits import (
    CHUNK_FRAMES,
    LEAST_FRAME_LOG,
    LEAST_STORED_BYTES,
    MOST_CHUNK_BYTES,
    MOST_FRAME_LOG,
    MOST_STORED_BYTES,
    PAGE_ENTRIES,
)
from .reference import REFERENCE_BYTES

CHUNKS = 0
PAGES = 1
CODEC = 1
PAGE_FRAME_LOG = 16
RAW = 2**31
_entry = struct.Struct("<I32s")
_decoder = zstandard.ZstdDecompressor()


@dataclass(frozen=True)
class Frame:
    at: int
    stored: int
    is_raw: bool
    content_bytes: int
    digest: bytes


@dataclass(frozen=True)
class Verified:
    frames: list[bytes]
    raw_bytes: int
    frame_log: int

    def is_zero(self) -> bool:
        return all(frame.count(0) == len(frame) for frame in self.frames)


def most_stored_bytes(raw_bytes: int) -> int:
    """Of a chunk or page: all frames raw, and as small as frames can be."""
    frames = -(-raw_bytes >> LEAST_FRAME_LOG)
    return raw_bytes + 4 + _entry.size * frames


def verified(stored: bytes, wanted: bytes, kind: int, raw_bytes: int | None) -> Verified:
    """`raw_bytes`: what the position requires; None where only a pack is read, and the digest says it. Throws Damage."""
    if not LEAST_STORED_BYTES <= len(stored) <= MOST_STORED_BYTES:
        raise Damage(f"a stored chunk of {len(stored)} bytes")
    frame_log, frames = _table(stored)
    found_bytes = _raw_bytes(frames, 2**frame_log)
    if found_bytes > MOST_CHUNK_BYTES:
        raise Damage(f"holds {found_bytes} bytes")
    if raw_bytes is not None and found_bytes != raw_bytes:
        raise Damage(f"holds {found_bytes} bytes where {raw_bytes} should be")
    if kind == PAGES:
        _must_be_page(frame_log, frames, found_bytes)
        named = page_digest(found_bytes, frames[0].digest)
    else:
        named = chunk_digest(found_bytes, [frame.digest for frame in frames])
    if named != wanted:
        raise Damage("its table does not have the digest")
    return Verified([_content(stored, frame) for frame in frames], found_bytes, frame_log)


def _table(stored: bytes) -> tuple[int, list[Frame]]:
    codec, frame_log, count = struct.unpack_from("<BBH", stored)
    if codec != CODEC:
        raise Damage(f"codec {codec}")
    if not LEAST_FRAME_LOG <= frame_log <= MOST_FRAME_LOG:
        raise Damage(f"frames of 2^{frame_log} bytes")
    if not 1 <= count <= CHUNK_FRAMES:
        raise Damage(f"{count} frames")
    at = 4 + _entry.size * count
    if at > len(stored):
        raise Damage("its table is longer than it is")
    frames: list[Frame] = []
    for length, frame_digest in _entry.iter_unpack(stored[4:at]):
        is_raw, length = length >= RAW, length % RAW
        if at + length > len(stored):
            raise Damage("its frames are longer than it is")
        size = length if is_raw else _content_size(stored[at : at + min(length, 13)])
        if not is_raw and length >= size:
            raise Damage(f"a frame of {size} bytes that is compressed to {length}")
        frames.append(Frame(at, length, is_raw, size, frame_digest))
        at += length
    if at != len(stored):
        raise Damage("its frames do not fill it")
    return frame_log, frames


def _content_size(header: bytes) -> int:
    """What a zstd frame says of itself, when it is one that is allowed here: RFC 8878, 3.1.1.1."""
    if header[:4] != b"\x28\xb5\x2f\xfd" or len(header) < 5:
        raise Damage("a frame that is no zstd frame")
    if header[4] & 0b00101011 != 0b00100000:
        raise Damage(f"a zstd frame with descriptor {header[4]:#04x}")
    flag = header[4] >> 6
    field = header[5 : 5 + 2**flag]
    if len(field) != 2**flag:
        raise Damage("a zstd frame that ends in its header")
    return int.from_bytes(field, "little") + (256 if flag == 1 else 0)


def _raw_bytes(frames: list[Frame], frame_bytes: int) -> int:
    for frame in frames[:-1]:
        if frame.content_bytes != frame_bytes:
            raise Damage(f"a frame of {frame.content_bytes} bytes where {frame_bytes} should be")
    last = frames[-1].content_bytes
    if not 1 <= last <= frame_bytes:
        raise Damage(f"a last frame of {last} bytes, with frames of {frame_bytes}")
    return (len(frames) - 1) * frame_bytes + last


def _must_be_page(frame_log: int, frames: list[Frame], raw_bytes: int) -> None:
    if frame_log != PAGE_FRAME_LOG or len(frames) != 1:
        raise Damage(f"a page of {len(frames)} frames of 2^{frame_log} bytes")
    if raw_bytes % REFERENCE_BYTES != 0 or raw_bytes > PAGE_ENTRIES * REFERENCE_BYTES:
        raise Damage(f"a page of {raw_bytes} bytes")


def _content(stored: bytes, frame: Frame) -> bytes:
    content = stored[frame.at : frame.at + frame.stored]
    if not frame.is_raw:
        try:
            # Into a buffer of the size that its header says and that was checked, never more.
            content = _decoder.decompress(content, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise Damage(f"a frame that cannot be decoded: {error}") from error
    if len(content) != frame.content_bytes or digest(content) != frame.digest:
        raise Damage("a frame does not have its digest")
    return content
