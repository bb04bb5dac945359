"""How far the objects of a journal tell, one after another, of the disks that its intent names."""
from __future__ import annotations

from dataclasses import dataclass

from .damage import Damage
from .disk import Disk
from .journal import JournalObject, Position, Run
from .report import Report


@dataclass(frozen=True)
class Intent:
    """What an import under way says of itself."""

    disk_sizes: list[int]
    chunk_bytes: int
    frame_bytes: int
    has_base: bool
    base: list[Disk] | None
    """None when it is not there as the intent names it: then nothing is taken from it."""

    def chunks(self, disk: int) -> int:
        return -(-self.disk_sizes[disk] // self.chunk_bytes)

    def bytes_of(self, disk: int, chunk: int) -> int:
        return min(self.chunk_bytes, self.disk_sizes[disk] - chunk * self.chunk_bytes)


class Advance:
    """Of one journal. Objects are taken in their order; damaged ones are told of, and left out."""

    def __init__(self, intent: Intent, report: Report) -> None:
        self._intent = intent
        self._report = report
        self._next_number = 0
        self._end: Position = (0, 0)
        self._attempts: list[bytes] = []
        self._is_whole = True

    def take(self, key: str, found: JournalObject) -> None:
        """Throws Damage for what no attempt writes."""
        self._check_begin(found.begins)
        for place, run in enumerate(found.runs):
            self._check_end(run, found.runs[place + 1].disk if place + 1 < len(found.runs) else run.disk)
            self._check_base(run)
        is_gap = found.number != self._next_number
        self._next_number = found.number + 1
        if is_gap:
            self._report.note(key, "an object before it is missing or damaged")
            self._attempts = []
            self._is_whole = False
        self._check_attempt(found, is_gap)
        if found.begins <= self._end:
            self._end = self._after(found)
        elif self._is_whole:
            raise Damage(f"begins at {found.begins}, and those before it end at {self._end}")

    def _check_begin(self, begins: Position) -> None:
        disk, chunk = begins
        disks = len(self._intent.disk_sizes)
        if begins != (disks, 0) and (disk >= disks or chunk >= self._intent.chunks(disk)):
            raise Damage(f"begins at chunk {chunk} of disk {disk}, which is not there")

    def _check_end(self, run: Run, next_disk: int) -> None:
        if run.disk >= len(self._intent.disk_sizes) or run.first + run.chunks > self._intent.chunks(run.disk):
            raise Damage(f"a run of {run.chunks} chunks from {run.first} of disk {run.disk} on, which has not so many")
        if next_disk != run.disk and run.first + run.chunks != self._intent.chunks(run.disk):
            raise Damage(f"a run that goes on with disk {next_disk} before disk {run.disk} has ended")

    def _check_base(self, run: Run) -> None:
        if run.base_disk is None:
            return
        if not self._intent.has_base:
            raise Damage("a run that is as in the base, and the intent names no base")
        if self._intent.base is None:
            return
        disk = self._intent.base[run.base_disk] if run.base_disk < len(self._intent.base) else None
        wanted = (self._intent.disk_sizes[run.disk], self._intent.chunk_bytes, self._intent.frame_bytes)
        if disk is None or not disk.is_whole or (disk.size, disk.chunk_bytes, disk.frame_bytes) != wanted:
            raise Damage(f"disk {run.disk} is as disk {run.base_disk} of the base, which is no such disk")

    def _check_attempt(self, found: JournalObject, is_gap: bool) -> None:
        if self._attempts and found.attempt == self._attempts[-1]:
            return
        if found.attempt in self._attempts:
            raise Damage(f"is of attempt {found.attempt.hex()}, which another one has superseded")
        if found.runs and not is_gap:
            raise Damage(f"is the first of attempt {found.attempt.hex()}, and has runs")
        self._attempts.append(found.attempt)

    def _after(self, found: JournalObject) -> Position:
        if not found.runs:
            return found.begins
        last = found.runs[-1]
        end = last.first + last.chunks
        return (last.disk + 1, 0) if end == self._intent.chunks(last.disk) else (last.disk, end)
