"""Journals: each object, and that they go on where the one before ended."""
from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from .damage import Damage
from .digests import JOURNAL, digest
from .limits import DISK_CHUNKS, DISKS
from .reference import REFERENCE_BYTES, Reference, decode_all

_head = struct.Struct("<8s16sQII")
_run = struct.Struct("<IIQQ")
DIGEST_BYTES = 32


@dataclass(frozen=True)
class Run:
    disk: int
    first: int
    chunks: int
    references: list[Reference]


def decode_journal(data: bytes, import_id: str, number: int) -> Iterator[Run]:
    if len(data) < _head.size + DIGEST_BYTES:
        raise Damage(f"a journal object of {len(data)} bytes")
    body = data[:-DIGEST_BYTES]
    if digest(body) != data[-DIGEST_BYTES:]:
        raise Damage("it does not have its digest")
    magic, found_id, found_number, runs, zero = _head.unpack_from(body)
    if magic != JOURNAL or zero != 0:
        raise Damage("it does not begin as a journal object")
    if found_id != UUID(import_id).bytes or found_number != number:
        raise Damage(f"it is object {found_number} of {UUID(bytes=found_id)}")
    at = _head.size
    for _ in range(runs):
        run, at = _decode_run(body, at)
        yield run
    if at != len(body):
        raise Damage(f"its runs end at {at}, and it at {len(body)}")


def _decode_run(body: bytes, at: int) -> tuple[Run, int]:
    if at + _run.size > len(body):
        raise Damage("it ends in a run")
    disk, kind, first, chunks = _run.unpack_from(body, at)
    at += _run.size
    if disk >= DISKS or kind > 1 or chunks < 1 or first + chunks > DISK_CHUNKS:
        raise Damage(f"a run of kind {kind}, disk {disk}, {chunks} chunks from {first} on")
    if kind == 0:
        return Run(disk, first, chunks, []), at
    end = at + chunks * REFERENCE_BYTES
    if end > len(body):
        raise Damage("it ends in a run")
    references = decode_all(body[at:end])
    whole = [reference for reference in references if reference is not None]
    if len(whole) != len(references):
        raise Damage("a run of references with one that is zero")
    return Run(disk, first, chunks, whole), end


class Advance:
    """Where in the disks the next run has to begin. How long a disk is, a journal does not say."""

    def __init__(self) -> None:
        self._disk = 0
        self._chunk = 0

    def take(self, run: Run) -> None:
        goes_on = (run.disk, run.first) == (self._disk, self._chunk)
        next_disk = self._chunk > 0 and (run.disk, run.first) == (self._disk + 1, 0)
        if not goes_on and not next_disk:
            raise Damage(f"a run from chunk {run.first} of disk {run.disk} on, after chunk {self._chunk} of {self._disk}")
        self._disk, self._chunk = run.disk, run.first + run.chunks
