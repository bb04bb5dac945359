"""Indexes of which all is right but one thing."""
from __future__ import annotations

import os

from ..digests import number
from ..encode import IndexedPack, buckets_and_filter, encode_index
from ..reference import Reference
from .case import Case, Change, all_of
from .repository import ChangeIndex, Repository


def largest(change: ChangeIndex) -> Change:
    return lambda made: made.index(max(made.keys("index"), key=lambda key: os.path.getsize(made.path(key))), change)


def trailer(at: int, value: int) -> Change:
    return largest(lambda records, rest, trailer: trailer.__setitem__(at, value))


def swapped(records: bytearray, rest: bytearray, trailer: bytearray) -> None:
    records[:44], records[44:88] = records[44:88], records[:44]


def twice(records: bytearray, rest: bytearray, trailer: bytearray) -> None:
    records[44:88] = records[:44]


def first_bucket(records: bytearray, rest: bytearray, trailer: bytearray) -> None:
    packs, superseded = (int.from_bytes(trailer[at : at + 4], "little") for at in (32, 36))
    rest[20 * packs + 16 * superseded] = 1


def ones(records: bytearray, rest: bytearray, trailer: bytearray) -> None:
    rest[-3:] = b"\xff" * 3


def more_buckets(made: Repository) -> None:
    """Twice as many as there should be."""
    key = min(made.keys("index"), key=lambda key: os.path.getsize(made.path(key)))

    def change(records: bytearray, rest: bytearray, trailer: bytearray) -> None:
        found = [Reference(bytes(records[at : at + 32]), b"", 0, 0) for at in range(0, len(records), 44)]
        tables = 20 * int.from_bytes(trailer[32:36], "little") + 16 * int.from_bytes(trailer[36:40], "little")
        rest[tables:] = buckets_and_filter(found, trailer[40] + 1)
        trailer[40] += 1

    made.index(key, change)


def superseding(*ids: bytes) -> Change:
    def change(made: Repository) -> None:
        pack = made.packs(0)[0]
        whole = made.read(pack)
        name = bytes.fromhex(pack.split("/")[2])
        at = len(whole) - 80 - int.from_bytes(whole[-72:-68], "little")
        footer = whole[at + 40 : -80]
        found: list[Reference] = []
        for entry in (footer[each : each + 36] for each in range(0, len(footer), 36)):
            offset = found[-1].offset + found[-1].stored if found else 0
            found.append(Reference(entry[:32], name, offset, int.from_bytes(entry[32:], "little")))
        made.write(f"index/{'44' * 16}", encode_index(b"\x44" * 16, [IndexedPack(len(whole), found)], list(ids)))

    return change


def disorder(made: Repository) -> None:
    def change(records: bytearray, rest: bytearray, trailer: bytearray) -> None:
        rest[20:52] = rest[36:52] + rest[20:36]

    made.index(f"index/{'44' * 16}", change)


CASES = [
    Case("records swapped", 9, largest(swapped), "sorted"),
    Case("record twice", 9, largest(twice), "twice"),
    Case("record of no place", 9, largest(lambda records, rest, trailer: records.__setitem__(36, records[36] ^ 1)), "by its footer"),
    Case("record of no pack", 9, largest(lambda records, rest, trailer: records.__setitem__(35, 1)), "record of pack"),
    Case("bits of no record", 9, largest(ones), "filter"),
    Case("records before bucket 0", 9, largest(first_bucket), "before bucket"),
    Case("size of a pack", 9, largest(lambda records, rest, trailer: rest.__setitem__(16, rest[16] ^ 1)), "here"),
    Case("number of records", 9, largest(lambda records, rest, trailer: trailer.__setitem__(24, trailer[24] ^ 1)), "sections"),
    Case("a byte more", 9, largest(lambda records, rest, trailer: rest.append(0)), "bytes, and its sections"),
    Case("very many records", 9, trailer(31, 1), "records"),
    Case("no packs", 9, largest(lambda records, rest, trailer: trailer.__setitem__(slice(32, 36), bytes(4))), "0 packs"),
    Case("more packs than records", 9, trailer(33, 255), "packs"),
    Case("4097 superseded", 9, largest(lambda records, rest, trailer: trailer.__setitem__(slice(36, 40), number(4097, 4))), "superseded"),
    Case("2^25 buckets", 9, trailer(40, 25), "buckets"),
    Case("more buckets than needed", 9, more_buckets, "buckets for"),
    Case("trailer not zero", 9, trailer(41, 1), "trailer"),
    Case("trailer of another index", 9, largest(lambda records, rest, trailer: trailer.__setitem__(8, trailer[8] ^ 1)), "is that of"),
    Case("supersedes what is gone", 0, superseding(b"\x55" * 16)),
    Case("supersedes itself", 0, superseding(b"\x44" * 16)),
    Case("supersedes in no order", 9, all_of(superseding(b"\x55" * 16, b"\x66" * 16), disorder), "sorted"),
]
