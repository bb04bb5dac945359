"""Writes a small repository in which most of what the format allows is there once. The same seed gives the same bytes."""
from __future__ import annotations

import hashlib
import os
import random
from dataclasses import replace
from typing import TypedDict

from .draft import (
    DiskImage,
    Draft,
    data_series,
    disk_member,
    page_series,
    place_chunks,
    place_pages,
)
from .encode import encode_chunk, encode_json
from .images import KIB, MIB, changed, many_frames, two_levels
from .keys import key_time
from .reference import Reference
from .stored_chunk import CHUNKS
from .write_imports import THIRD, put_dead_import, put_import_with_base, put_what_is_left

FIRST = "2026-11-20T03:00:00.000Z"
SECOND = "2026-11-21T03:00:00.001Z"


class Written(TypedDict):
    """What every disk holds: `machine`, `time`, `disk`, `sizeBytes`, `sha256`, `contentDigest`."""

    repositoryId: str
    disks: list[dict[str, object]]


def write(directory: str, seed: int) -> Written:
    os.makedirs(directory)
    return _Scenario(Draft(directory, random.Random(seed))).run()


class _Scenario:
    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._repository_id = draft.uuid()
        self._disks: list[dict[str, object]] = []

    def run(self) -> Written:
        draft, source = self._draft, self._draft.random
        sizes = {"chunkSizeBytes": 128 * KIB, "frameSizeBytes": 64 * KIB}
        header = encode_json("rouse-repository", {"id": self._repository_id, "digest": "blake3", **sizes})
        draft.put("rouse-repository", header)
        draft.put("rouse-repository.copy", header)
        zero, byte = DiskImage(bytes(1_000_003), 128 * KIB, 64 * KIB), DiskImage(b"x", 128 * KIB, 16 * MIB)
        before = [two_levels(source), many_frames(source), zero, byte]
        pinned, first_indexes = self._point("web01", FIRST, before, bad=set())
        bad = self._mark_bad(before[1].chunks()[0])
        after = [changed(source, before[0], [2048, 2304]), changed(source, before[1], [1, 3]), zero, byte]
        self._point("web01", SECOND, after, bad={bad})
        self._merge(first_indexes)
        self._point("db-1", FIRST, [replace(after[0], missing=(4 * 1024 * KIB, 4096))], bad=set())
        self._other_frame_size(after[0])
        self._moved(after[1])
        self._pin(pinned)
        put_dead_import(draft)
        put_what_is_left(draft)
        self._fence()
        self._left_behind()
        put_import_with_base(draft, "web01", FIRST, pinned, 2, len(zero.data))
        return Written(repositoryId=self._repository_id, disks=self._disks)

    def _point(self, machine: str, time: str, images: list[DiskImage], bad: set[bytes]) -> tuple[bytes, list[bytes]]:
        """The manifest, and the two indexes."""
        data, pages = data_series(self._draft), page_series(self._draft)
        placed = [place_chunks(data, image, bad) for image in images]
        data.close()
        mapped = [place_pages(pages, chunks) for chunks in placed]
        pages.close()
        indexes = [self._draft.index(series.written, []) for series in (data, pages) if series.written]
        members = [disk_member(image, disk) for image, disk in zip(images, mapped)]
        return self._manifest(machine, time, images, members), indexes

    def _manifest(self, machine: str, time: str, images: list[DiskImage], members: list[dict[str, object]]) -> bytes:
        manifest = encode_json(
            "rouse-manifest",
            {
                "repositoryId": self._repository_id,
                "machine": machine,
                "time": time,
                "importId": self._draft.uuid(),
                "config": _configuration(len(images)),
                "facts": {"note": "Grüße \U0001f980 \u2028 \x07", "numbers": [1e21, 1e-7, 0.1, -3, 123456789012]},
                "disks": members,
            },
        )
        self._draft.put(f"points/{machine}/{key_time(time)}", manifest)
        for number, image in enumerate(images):
            sha256 = hashlib.sha256(image.data).hexdigest()
            size, name = len(image.data), members[number]["contentDigest"]
            disk = {"machine": machine, "time": time, "disk": number}
            self._disks.append({**disk, "sizeBytes": size, "sha256": sha256, "contentDigest": name})
        return manifest

    def _mark_bad(self, chunk: bytes) -> bytes:
        """The next import stores the chunk anew. The place is right all the same: it was the disk under it that erred."""
        name = encode_chunk(chunk, 14).digest
        place = self._draft.known[CHUNKS, name]
        mark = {"packId": place.pack_id.hex(), "offsetBytes": place.offset, "storedBytes": place.stored}
        told = {"reason": "read twice", "foundAt": SECOND, "hostname": "host1"}
        key = f"bad/{place.pack_id.hex()}/{place.offset}"
        self._draft.put(key, encode_json("rouse-bad-place", {**mark, **told, "digest": name.hex()}))
        return name

    def _merge(self, first: list[bytes]) -> None:
        """Of what it supersedes, one is not deleted yet."""
        self._draft.index(list(self._draft.packs), first)
        self._draft.remove(f"index/{first[0].hex()}")

    def _other_frame_size(self, image: DiskImage) -> None:
        """Its chunks have one frame with either size, so the same digests, and are known."""
        self._point("frames", FIRST, [replace(image, frame_bytes=64 * KIB)], bad=set())

    def _moved(self, image: DiskImage) -> None:
        """Its page map has a place in a pack that is gone: the digest is elsewhere."""
        placed = place_chunks(data_series(self._draft), image, set())
        gone = Reference(placed[0].digest, self._draft.id(), 0, placed[0].stored) if placed[0] else None
        pages = page_series(self._draft)
        mapped = place_pages(pages, [gone, *placed[1:]])
        pages.close()
        self._draft.index(pages.written, [])
        self._manifest("moved", THIRD, [image], [disk_member(image, mapped)])

    def _pin(self, manifest: bytes) -> None:
        recovery = self._draft.uuid()
        point = {"machine": "web01", "restorePoint": FIRST, "manifestDigest": hashlib.sha256(manifest).hexdigest()}
        told = {"recoveryId": recovery, "reason": "recovery web01", "pinnedAt": SECOND}
        self._draft.put(f"pins/{recovery}", encode_json("rouse-pin", {**point, **told}))

    def _fence(self) -> None:
        """Somebody keeps a dead import from publishing."""
        draft = self._draft
        members: dict[str, object] = {"repositoryId": self._repository_id, "machine": "fenced", "time": THIRD, "importId": draft.uuid()}
        draft.put(f"points/fenced/{key_time(THIRD)}", encode_json("rouse-fence", members))

    def _left_behind(self) -> None:
        """What a crash and a file system leave, and is nothing."""
        self._draft.put("packs/00/1f.rouse-tmp", b"half of a")
        self._draft.put("packs/00/.hidden", b"")
        self._draft.put("README", b"by a person")
        os.mkdir(os.path.join(self._draft.directory, "lost+found"))
        os.makedirs(os.path.join(self._draft.directory, "features", "read"))


def _configuration(disks: int) -> dict[str, object]:
    disk = {"serial": "QM00001", "logicalSectorBytes": 512, "physicalSectorBytes": 4096}
    modules = {"virtio_blk": {"early": "initramfs", "installed": True}, "nvme": {"early": None, "installed": None}}
    return {
        "cpus": 2,
        "memoryMiB": 2048,
        "firmware": "efi",
        "secureBoot": None,
        "vtpm": False,
        "efiVariables": [
            {"vendor": "8be4df61-93ca-11d2-aa0d-00e098032b8c", "name": "BootOrder", "attributes": 7, "data": "AAA="}
        ],
        "nics": [{"mac": "52:54:00:12:34:56", "network": "lan"}],
        "disks": [{"position": position, **disk} for position in range(disks)],
        "clock": "utc",
        "os": "linux",
        "drivers": [{"name": "virtio", "learntFrom": "disks"}],
        "boot": {
            "kernels": [{"version": "6.1.0-28-amd64", "modules": modules}],
            "windows": None,
            "deviceNames": [{"file": "/etc/fstab", "device": "/dev/sda1"}],
            "notLookedAt": [],
        },
        "origin": {"kind": "image", "detail": "qcow2 web01.qcow2", "later": [1, 2]},
    }
