"""One bit of one object is another: its key is among the findings, and no disk is exported with other bytes."""
from __future__ import annotations

import hashlib
import os
import random
import tempfile

from ..export import Wanted
from ..judge import judge
from .repository import Repository

EXPORTED = 3
"""Disks: the first has two levels, the second many frames in a chunk."""


def flips(directory: str, disks: list[dict[str, object]], source: random.Random, count: int) -> list[str]:
    made = Repository(directory)
    objects = _judged_objects(made)
    sizes = [os.path.getsize(made.path(key)) for key in objects]
    missed: list[str] = []
    for place in range(count):
        # By turns of an object, of a byte, and of the last bytes, where the trailers are.
        key = source.choices(objects, sizes)[0] if place % 3 == 0 else source.choice(objects)
        before = made.read(key)
        at = max(0, len(before) - 1 - source.randrange(200)) if place % 3 == 2 else source.randrange(len(before))
        other = bytearray(before)
        other[at] ^= 1 << source.randrange(8)
        made.write(key, bytes(other))
        told = _missed(directory, key, disks[:EXPORTED])
        if told:
            missed.append(f"{key}, byte {at}: {told}")
        made.write(key, before)
    return missed


def _judged_objects(made: Repository) -> list[str]:
    """Without what is nothing: names of no key, and a journal without intent."""
    folders = ("packs", "index", "points", "intents", "pins", "bad")
    found = [key for folder in folders for key in made.keys(folder) if "/." not in key]
    return ["rouse-repository", "rouse-repository.copy", *found, *made.journal_keys()]


def _missed(directory: str, key: str, disks: list[dict[str, object]]) -> str | None:
    with tempfile.TemporaryDirectory(dir=os.path.dirname(directory)) as place:
        paths = [os.path.join(place, str(number)) for number in range(len(disks))]
        wanted = [
            Wanted(str(disk["machine"]), str(disk["time"]), number, path)
            for number, (disk, path) in enumerate(zip(disks, paths))
        ]
        found = judge(directory, wanted)
        for disk, path in zip(disks, paths):
            if os.path.exists(path) and _sha256(path) != disk["sha256"]:
                return f"disk {disk['disk']} is exported with other bytes"
    return None if any(finding["key"] == key for finding in found.findings) else f"not found: {found.findings}"


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
