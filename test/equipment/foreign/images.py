"""What the disks of the written repository hold."""
from __future__ import annotations

import random

from .draft import DiskImage

KIB = 1024
MIB = 1024 * KIB


def words(source: random.Random, length: int) -> bytes:
    """Compressible."""
    text = b" ".join(source.choice([b"chunk", b"frame", b"page", b"pack", b"%d" % source.randrange(1000)]) for _ in range(length // 3))
    return text[:length].ljust(length, b".")


def two_levels(source: random.Random) -> DiskImage:
    """Three leaves, the second of them zero; the last chunk is short."""
    data = bytearray(9 * MIB + 1234)
    for number in [0, 1, 2, 17, 500, 1023, *source.sample(range(2048, 2304), 60)]:
        is_text = source.random() < 0.5
        data[number * 4096 : number * 4096 + 4096] = words(source, 4096) if is_text else source.randbytes(4096)
    data[9 * MIB :] = words(source, 1234)
    return DiskImage(bytes(data), 4 * KIB, 16 * KIB)


def many_frames(source: random.Random) -> DiskImage:
    """Raw, compressed and zero frames in one chunk; a chunk twice; a zero chunk; a short last chunk of three frames."""
    text, noise = words(source, 64 * KIB), source.randbytes(64 * KIB)
    mixed = words(source, 16 * KIB) + source.randbytes(16 * KIB) + bytes(16 * KIB) + words(source, 16 * KIB)
    last = words(source, 20_000) + source.randbytes(13_333)
    return DiskImage(text + noise + mixed + bytes(64 * KIB) + noise + last, 64 * KIB, 16 * KIB)


def changed(source: random.Random, image: DiskImage, chunks: list[int]) -> DiskImage:
    data = bytearray(image.data)
    for number in chunks:
        at = number * image.chunk_bytes
        length = min(image.chunk_bytes, len(data) - at)
        data[at : at + length] = words(source, length)
    return DiskImage(bytes(data), image.chunk_bytes, image.frame_bytes, image.missing)
