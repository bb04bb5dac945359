"""The repository's algorithm, and the magic numbers that say what a digest is of."""
from __future__ import annotations

import hashlib

from blake3 import blake3

ZERO_CONTENT = bytes(32)


def _magic(number: str, sentence: str) -> bytes:
    magic = hashlib.sha256(sentence.encode()).digest()[:8]
    if magic.hex() != number:
        raise AssertionError(f"docs/format.md: {number} is not the magic number of {sentence!r}")
    return magic


CHUNK = _magic("14ae81c723c1fb3b", "rouse chunk v1")
PAGE = _magic("72e3f1e731cca401", "rouse page v1")
PAGE_CONTENT = _magic("88202d7611513509", "rouse page content v1")
DISK_CONTENT = _magic("b61dafa404a6e592", "rouse disk content v1")
PACK_FOOTER = _magic("fd81702015b72453", "rouse pack footer v1")
PACK_TRAILER = _magic("98d7b4325df4fdf9", "rouse pack trailer v1")
INDEX = _magic("0b4d1d75dd9c7b30", "rouse index v1")
JOURNAL = _magic("5c7fca88bf9775c6", "rouse journal v1")


def digest(*pieces: bytes) -> bytes:
    hasher = blake3()
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()


def number(value: int, length: int) -> bytes:
    return value.to_bytes(length, "little")


def chunk_digest(raw_bytes: int, frame_digests: list[bytes]) -> bytes:
    return digest(CHUNK, number(raw_bytes, 8), *frame_digests)


def page_digest(raw_bytes: int, frame_digest: bytes) -> bytes:
    return digest(PAGE, number(raw_bytes, 8), frame_digest)


def content_digest(size_bytes: int, chunk_bytes: int, frame_bytes: int, root_content: bytes) -> bytes:
    sizes = [number(size, 8) for size in (size_bytes, chunk_bytes, frame_bytes)]
    return digest(DISK_CONTENT, b"blake3".ljust(8, b"\0"), *sizes, root_content)
