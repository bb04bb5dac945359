"""A disk of a manifest, and the shape of its page map, which follows from its sizes alone."""
from __future__ import annotations

from dataclasses import dataclass

from .damage import Damage
from .limits import DISK_CHUNKS, PACK_BYTES, PAGE_ENTRIES
from .reference import REFERENCE_BYTES, Reference
from .shapes import members


@dataclass(frozen=True)
class Disk:
    size: int
    chunk_bytes: int
    frame_bytes: int
    data_bytes: int
    content_digest: bytes
    root: Reference | None
    is_whole: bool = True

    def chunks(self) -> int:
        return -(-self.size // self.chunk_bytes)

    def height(self) -> int:
        """Of the root; leaves are at 0."""
        height = 0
        while self.entry_chunks(height) * PAGE_ENTRIES < self.chunks():
            height += 1
        return height

    def entry_chunks(self, height: int) -> int:
        """How many chunks an entry of a page at this height stands for."""
        return 1 << 10 * height  # PAGE_ENTRIES, to the power of the height

    def page_bytes(self, height: int, chunks: int) -> int:
        return -(-chunks // self.entry_chunks(height)) * REFERENCE_BYTES

    def bytes_of(self, first: int, chunks: int) -> int:
        return min(self.size, (first + chunks) * self.chunk_bytes) - first * self.chunk_bytes


def disk_of(value: object) -> Disk:
    """Of a manifest whose members were checked. Throws Damage for what does not fit together."""
    found = members(value, "disk")
    root = members(found["root"], "root") if "root" in found else None
    disk = Disk(
        size=_whole(found["sizeBytes"]),
        chunk_bytes=_whole(found["chunkSizeBytes"]),
        frame_bytes=_whole(found["frameSizeBytes"]),
        data_bytes=_whole(found["dataBytes"]),
        content_digest=bytes.fromhex(str(found["contentDigest"])),
        root=_reference(root) if root is not None else None,
        is_whole="missing" not in found,
    )
    if disk.chunks() > DISK_CHUNKS:
        raise Damage(f"a disk of {disk.chunks()} chunks")
    if disk.data_bytes > disk.size or (disk.root is None) != (disk.data_bytes == 0):
        raise Damage(f"a disk of {disk.size} bytes with {disk.data_bytes} of data {'and' if disk.root else 'but no'} root")
    if "missing" in found:
        missing = members(found["missing"], "missing")
        at, length = _whole(missing["atBytes"]), _whole(missing["lengthBytes"])
        if at + length > disk.size:
            raise Damage(f"a disk of {disk.size} bytes lacks {length} from {at} on")
    return disk


def _reference(root: dict[str, object]) -> Reference:
    place = (_whole(root["offsetBytes"]), _whole(root["storedBytes"]))
    if sum(place) > PACK_BYTES:
        raise Damage("its root is behind the end of every pack")
    return Reference(bytes.fromhex(str(root["digest"])), bytes.fromhex(str(root["packId"])), *place)


def _whole(value: object) -> int:
    if not isinstance(value, float):
        raise Damage(f"{value!r} is no number")
    return int(value)
