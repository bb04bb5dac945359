"""Restore points: manifests, and every page map from them."""
from __future__ import annotations

from dataclasses import dataclass

from .chunk_reader import ChunkReader
from .damage import Damage
from .disk import Disk, disk_of
from .json_objects import decode
from .keys import key_time
from .limits import MANIFEST_BYTES
from .page_map import Walk
from .places import Places
from .reference import Reference
from .report import Report
from .shapes import members
from .store import Absent, Store
from .stored_chunk import CHUNKS


@dataclass(frozen=True)
class Point:
    data: bytes
    import_id: str
    disks: list[Disk]


@dataclass(frozen=True)
class Fence:
    """Keeps an import from publishing; no point."""

    import_id: str


def read_point(store: Store, key: str, repository_id: str) -> Point | Fence:
    """Throws Damage, or Absent."""
    data = store.read(key, MANIFEST_BYTES)
    manifest = decode(data, "rouse-manifest", "rouse-fence")
    if manifest["repositoryId"] != repository_id:
        raise Damage(f"is of repository {manifest['repositoryId']}")
    if key != f"points/{manifest['machine']}/{key_time(str(manifest['time']))}":
        raise Damage(f"is of {manifest['machine']} at {manifest['time']}")
    import_id = str(manifest["importId"])
    if manifest["type"] == "rouse-fence":
        return Fence(import_id)
    disks = manifest["disks"]
    configured = members(manifest["config"], "config")["disks"]
    if not isinstance(disks, list) or not isinstance(configured, list) or len(disks) != len(configured):
        raise Damage("has other disks than its configuration")
    return Point(data, import_id, [disk_of(disk) for disk in disks])


def judge_point(store: Store, key: str, repository_id: str, reader: ChunkReader, places: Places, report: Report) -> None:
    try:
        point = read_point(store, key, repository_id)
    except Damage as damage:
        report.damage(key, damage)
        return
    except Absent:
        report.find(key, "is gone since it was listed")
        return
    if isinstance(point, Fence):
        report.counts["fences"] += 1
        report.note(key, f"a fence: import {point.import_id} cannot publish, and no point")
        return
    report.counts["points"] += 1
    for number, disk in enumerate(point.disks):
        report.counts["disks"] += 1
        _judge_disk(disk, number, key, reader, places, report)


def _judge_disk(disk: Disk, number: int, key: str, reader: ChunkReader, places: Places, report: Report) -> None:
    frame_log = disk.frame_bytes.bit_length() - 1

    def visit(reference: Reference, at: int, size: int) -> None:
        found = reader.frame_log_of(reference, CHUNKS, size, key)
        report.counts["chunks looked up"] += 1
        # A chunk of one frame has the same digest with every frame size that is not smaller than it.
        if found != frame_log and size > disk.frame_bytes:
            raise Damage(f"disk {number}, chunk at {at}: frames of 2^{found} bytes instead of {disk.frame_bytes}")

    Walk(disk, key, reader, report, visit, places).run()
