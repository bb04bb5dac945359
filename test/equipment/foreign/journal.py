"""Objects of a journal, each by itself."""
from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

from .damage import Damage
from .digests import JOURNAL, digest
from .limits import DISK_CHUNKS, DISKS
from .reference import REFERENCE_BYTES, Reference, decode_all

_head = struct.Struct("<8s16sQ16sIIQ")
_run = struct.Struct("<IHHQQ")
DIGEST_BYTES = 32
Position = tuple[int, int]
"""Disk and chunk."""


@dataclass(frozen=True)
class Run:
    disk: int
    first: int
    chunks: int
    references: list[Reference]
    base_disk: int | None = None
    """All of them are as there."""


@dataclass(frozen=True)
class JournalObject:
    number: int
    attempt: bytes
    begins: Position
    runs: list[Run]


def decode_journal(data: bytes, import_id: str, number: int) -> JournalObject:
    if len(data) < _head.size + DIGEST_BYTES:
        raise Damage(f"a journal object of {len(data)} bytes")
    body = data[:-DIGEST_BYTES]
    if digest(body) != data[-DIGEST_BYTES:]:
        raise Damage("it does not have its digest")
    magic, found_id, found_number, attempt, disk, count, chunk = _head.unpack_from(body)
    if magic != JOURNAL:
        raise Damage("it does not begin as a journal object")
    if found_id != UUID(import_id).bytes or found_number != number:
        raise Damage(f"it is object {found_number} of {UUID(bytes=found_id)}")
    if disk > DISKS or chunk >= DISK_CHUNKS:
        raise Damage(f"it begins at chunk {chunk} of disk {disk}")
    at = _head.size
    runs: list[Run] = []
    for _ in range(count):
        run, at = _decode_run(body, at)
        _must_follow(run, runs, (disk, chunk))
        runs.append(run)
    if at != len(body):
        raise Damage(f"its runs end at {at}, and it at {len(body)}")
    return JournalObject(number, attempt, (disk, chunk), runs)


def _decode_run(body: bytes, at: int) -> tuple[Run, int]:
    if at + _run.size > len(body):
        raise Damage("it ends in a run")
    disk, kind, base_disk, first, chunks = _run.unpack_from(body, at)
    at += _run.size
    if base_disk >= (DISKS if kind == 2 else 1):
        raise Damage(f"a run of kind {kind} that names disk {base_disk} of the base")
    if disk >= DISKS or kind > 2 or chunks < 1 or first + chunks > DISK_CHUNKS:
        raise Damage(f"a run of kind {kind}, disk {disk}, {chunks} chunks from {first} on")
    if kind == 0:
        return Run(disk, first, chunks, []), at
    if kind == 2:
        return Run(disk, first, chunks, [], base_disk), at
    end = at + chunks * REFERENCE_BYTES
    if end > len(body):
        raise Damage("it ends in a run")
    references = decode_all(body[at:end])
    whole = [reference for reference in references if reference is not None]
    if len(whole) != len(references):
        raise Damage("a run of references with one that is zero")
    return Run(disk, first, chunks, whole), end


def _must_follow(run: Run, before: list[Run], begins: Position) -> None:
    """Whether a disk ends where the next one is gone on with, only the intent says."""
    found = (run.disk, run.first)
    if not before:
        follows = found == begins
    else:
        last = before[-1]
        follows = found in ((last.disk, last.first + last.chunks), (last.disk + 1, 0))
    if not follows:
        raise Damage(f"a run from chunk {run.first} of disk {run.disk} on, which is not where it goes on")
