"""Writes the bytes of a disk. The file has its name only when all of it is right."""
from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from .chunk_reader import ChunkReader
from .damage import Damage
from .keys import key_time
from .page_map import Walk
from .points import Point, read_point
from .reference import Reference
from .report import Report
from .store import Absent, Store
from .stored_chunk import CHUNKS


@dataclass(frozen=True)
class Wanted:
    machine: str
    time: str
    disk: int
    path: str


def export(store: Store, repository_id: str, wanted: Wanted, reader: ChunkReader, report: Report) -> None:
    key = f"points/{wanted.machine}/{key_time(wanted.time)}"
    number, path = wanted.disk, wanted.path
    try:
        point = read_point(store, key, repository_id)
        disks = point.disks if isinstance(point, Point) else []
        if number >= len(disks):
            raise Damage(f"has {len(disks)} disks, and no disk {number}")
    except Damage as damage:
        report.damage(key, damage)
        return
    except Absent:
        report.find(key, "is not there")
        return
    disk = disks[number]
    beside = f"{path}.partial"
    with open(beside, "xb") as file:

        def visit(reference: Reference, at: int, size: int) -> None:
            file.seek(at)
            for frame in reader.read(reference, CHUNKS, size, key).frames:
                file.write(frame)

        is_right = Walk(disk, key, reader, report, visit, None).run()
        file.truncate(disk.size)
    if not is_right:
        os.unlink(beside)
        return
    os.rename(beside, path)
    report.exports.append({"key": key, "disk": number, "sizeBytes": disk.size, "sha256": _sha256(path)})


def _sha256(path: str) -> str:
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(2**20):
            hasher.update(piece)
    return hasher.hexdigest()
