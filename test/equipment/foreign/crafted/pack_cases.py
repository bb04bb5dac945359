"""Footers, trailers, and stored chunks of which all is right but one thing."""
from __future__ import annotations

import zstandard

from ..digests import number
from ..encode import encode_chunk, encode_page
from ..reference import Reference
from .case import Case, Change
from .repository import Repository

SKIPPABLE = b"\x50\x2a\x4d\x18\x01\x00\x00\x00x"


def byte(at: int, change: int, says: str) -> Case:
    """Of the footer; exclusive or."""

    def with_other(made: Repository) -> None:
        made.pack(made.packs(0)[0], lambda footer, data: footer.__setitem__(at, footer[at] ^ change))

    return Case(f"byte {at} of a footer, {change}", 9, with_other, says)


def empty(footer: bytearray, data: bytearray) -> None:
    del footer[40:]
    footer[28:32] = bytes(4)
    data.clear()


def one_frame(stored: bytes, body: bytes, raw: bool = False) -> bytes:
    return stored[:4] + number(len(body) + (2**31 if raw else 0), 4) + stored[8:40] + body


def content(stored: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(stored[40:])


def frame(body: bytes, raw: bool = False) -> Change:
    return lambda made: made.first_frame(lambda stored: one_frame(stored, body, raw))


def behind(more: bytes) -> Change:
    return lambda made: made.first_frame(lambda stored: one_frame(stored, stored[40:] + more))


def table(at: int, *values: int) -> Change:
    return lambda made: made.first_frame(lambda stored: stored[:at] + bytes(values) + stored[at + len(values) :])


def with_wide_size(stored: bytes) -> bytes:
    """With a checksum too."""
    whole = content(stored)
    found = zstandard.ZstdCompressor(write_checksum=True, write_content_size=True).compress(whole)
    rest = found[5 + 2 ** (found[4] >> 6) :]
    return one_frame(stored, found[:4] + bytes([found[4] & 0x3F | 0xC0]) + number(len(whole), 8) + rest)


def without_size(stored: bytes) -> bytes:
    return one_frame(stored, zstandard.ZstdCompressor(write_content_size=False).compress(content(stored)))


def bomb() -> bytes:
    """4096 bytes, it says, and 1000 blocks of 128 KiB."""
    blocks = b"".join(number((131_072 << 3) | 2 | (each == 999), 3) + b"\0" for each in range(1000))
    return b"\x28\xb5\x2f\xfd\x60" + number(4096 - 256, 2) + blocks


CASES = [
    Case("pack a byte short", 9, lambda made: made.write(made.packs(0)[0], made.read(made.packs(0)[0])[:-1])),
    Case("pack empty", 9, lambda made: made.write(made.packs(0)[0], b""), "a pack of"),
    byte(8, 1, "is that of"),
    byte(24, 2, "kind"),
    byte(24, 1, ""),
    byte(25, 1, "zero"),
    byte(28, 1, "another length"),
    byte(32, 1, "before compression"),
    Case("trailer not zero", 9, lambda made: made.pack(made.packs(0)[0], lambda f, d: None, b"\1\0\0\0"), "zero"),
    Case("gap before the footer", 9, lambda made: made.pack(made.packs(0)[0], lambda f, d: d.append(0)), "lies at"),
    Case("pack without chunks", 9, lambda made: made.pack(made.packs(0)[0], empty), "footer of"),
    Case("zero chunk", 9, lambda made: made.new_pack(0, encode_chunk(bytes(4096), 14)), "is zero"),
    Case("zero page", 9, lambda made: made.new_pack(1, encode_page([None] * 5)), "is zero"),
    Case("page that names 40 bytes", 9, lambda made: made.new_pack(1, encode_page([Reference(b"\1" * 32, b"\2" * 16, 0, 40)])), "40 stored"),
    Case("page that names what no pack has", 9, lambda made: made.new_pack(1, encode_page([Reference(b"\1" * 32, b"\2" * 16, 2**32 - 42, 42)])), "behind"),
    Case("codec", 9, table(0, 2), "codec"),
    Case("frames too small", 9, table(1, 13), "frames of"),
    Case("frames too large", 9, table(1, 25), "frames of"),
    Case("another frame size, of one frame", 0, table(1, 20)),
    Case("no frames", 9, table(2, 0, 0), "0 frames"),
    Case("1025 frames", 9, table(2, 1, 4), "1025 frames"),
    Case("more than the frames", 9, lambda made: made.first_frame(lambda stored: stored + b"\0"), "fill"),
    Case("second frame behind", 9, behind(zstandard.ZstdCompressor().compress(b"x")), "decoded"),
    Case("skippable frame behind", 9, behind(SKIPPABLE), "decoded"),
    Case("a byte behind", 9, behind(b"x"), "decoded"),
    Case("skippable frame before", 9, lambda made: made.first_frame(lambda it: one_frame(it, SKIPPABLE + it[40:])), "no zstd frame"),
    Case("raw, a byte short", 9, lambda made: made.first_frame(lambda it: one_frame(it, content(it)[:-1], True)), "digest"),
    Case("raw, other bytes", 9, lambda made: made.first_frame(lambda it: one_frame(it, content(it)[::-1], True)), "its digest"),
    Case("content size not said", 9, lambda made: made.first_frame(without_size), "descriptor"),
    Case("content size of 2^40", 9, lambda made: made.first_frame(lambda it: one_frame(it, b"\x28\xb5\x2f\xfd\xe0" + number(2**40, 8) + it[47:])), "last frame of"),
    Case("end in the header of a frame", 9, frame(b"\x28\xb5\x2f\xfd\xa0\x00"), "ends in its header"),
    Case("compressed to more", 9, lambda made: made.first_frame(lambda it: one_frame(it, b"\x28\xb5\x2f\xfd\x20\x64" + it[47:])), "compressed to"),
    Case("bomb", 9, frame(bomb()), "decoded"),
    Case("checksum and a wide content size", 9, lambda made: made.first_frame(with_wide_size), "here"),
]
