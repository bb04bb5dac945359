"""Header, manifest, intent, pin and bad place: what a reader checks of them, in this order."""
from __future__ import annotations

import hashlib

from . import canonical
from .configuration import configuration
from .damage import UNSUPPORTED, Damage
from .limits import (
    DISK_BYTES,
    DISKS,
    LEAST_CHUNK_BYTES,
    LEAST_FRAME_LOG,
    LEAST_STORED_BYTES,
    MOST_CHUNK_BYTES,
    MOST_FRAME_LOG,
    MOST_STORED_BYTES,
)
from .shapes import (
    Check,
    anything,
    facts,
    list_of,
    machine,
    members,
    nullable,
    object_id,
    one_of,
    power_of_two,
    record,
    sha256_or_blake3,
    text,
    time,
    uuid,
    whole,
)

_chunk_size = whole(LEAST_CHUNK_BYTES, MOST_CHUNK_BYTES, multiple_of=512)
_frame_size = power_of_two(2**LEAST_FRAME_LOG, 2**MOST_FRAME_LOG)
_offset = whole(0, 2**32 - 1)
_stored = whole(LEAST_STORED_BYTES, MOST_STORED_BYTES)
_root = record({"digest": sha256_or_blake3, "packId": object_id, "offsetBytes": _offset, "storedBytes": _stored})
_disk = record(
    {
        "sizeBytes": whole(1, DISK_BYTES),
        "chunkSizeBytes": _chunk_size,
        "frameSizeBytes": _frame_size,
        "dataBytes": whole(0, DISK_BYTES),
        "contentDigest": sha256_or_blake3,
    },
    optional={
        "root": _root,
        "missing": record({"atBytes": whole(0, DISK_BYTES), "lengthBytes": whole(1, DISK_BYTES)}),
    },
)
_base = record({"restorePoint": time, "manifestDigest": sha256_or_blake3})
_whole_disk = record({"sizeBytes": whole(1, DISK_BYTES)})
MEMBERS: dict[str, dict[str, Check]] = {
    "rouse-repository": {
        "id": uuid,
        "digest": one_of("blake3"),
        "chunkSizeBytes": _chunk_size,
        "frameSizeBytes": _frame_size,
    },
    "rouse-manifest": {
        "repositoryId": uuid,
        "machine": machine,
        "time": time,
        "importId": uuid,
        "config": configuration,
        "facts": facts,
        "disks": list_of(_disk, DISKS, least=1),
    },
    "rouse-fence": {"repositoryId": uuid, "machine": machine, "time": time, "importId": uuid},
    "rouse-intent": {
        "importId": uuid,
        "machine": machine,
        "time": time,
        "moment": nullable(text(most=200)),
        "disks": list_of(_whole_disk, DISKS, least=1),
        "chunkSizeBytes": _chunk_size,
        "frameSizeBytes": _frame_size,
        "base": nullable(_base),
        "startedAt": time,
        "hostname": text(),
        "pid": whole(1, 2**53),
    },
    "rouse-pin": {
        "recoveryId": uuid,
        "machine": machine,
        "restorePoint": time,
        "manifestDigest": sha256_or_blake3,
        "reason": text(most=500),
        "pinnedAt": time,
    },
    "rouse-bad-place": {
        "packId": object_id,
        "offsetBytes": _offset,
        "storedBytes": _stored,
        "digest": sha256_or_blake3,
        "reason": text(),
        "foundAt": time,
        "hostname": text(),
    },
}


def decode(data: bytes, *kinds: str) -> dict[str, object]:
    """Throws Damage: damage before "too new", so that a flipped bit is never taken for that."""
    found = members(canonical.parse(data), "it")
    rest = {name: value for name, value in found.items() if name != "checksum"}
    if found.get("checksum") != hashlib.sha256(canonical.serialize(rest)).hexdigest():
        raise Damage("its checksum is wrong")
    kind = found.get("type")
    if not isinstance(kind, str) or kind not in kinds:
        raise Damage(f"is {str(kind)[:80]!r} instead of {' or '.join(kinds)}")
    if found.get("version") != 1.0 or found.get("version") is True:
        raise Damage(f"is of version {str(found.get('version'))[:80]}", UNSUPPORTED)
    record({**MEMBERS[kind], "type": anything, "version": anything, "checksum": anything})(found, "it")
    return found
