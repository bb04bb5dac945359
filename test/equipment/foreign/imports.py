"""Imports under way: intents and their journals."""
from __future__ import annotations

import hashlib

from .advance import Advance, Intent
from .damage import MISSING, Damage
from .disk import Disk
from .journal import Run, decode_journal
from .json_objects import decode
from .keys import key_time, objects
from .limits import JOURNAL_BYTES, MANIFEST_BYTES, SMALL_JSON_BYTES
from .marks import say
from .places import Places
from .points import Point, read_point
from .report import Report
from .shapes import members
from .store import Absent, Store
from .stored_chunk import CHUNKS


def judge_imports(store: Store, repository_id: str, places: Places, report: Report) -> None:
    journals: dict[str, list[str]] = {}
    for key in objects(store, report, "journal"):  # before the intents: one without is over
        journals.setdefault(key.split("/")[1], []).append(key)
    for key in objects(store, report, "intents"):
        objects_of_it = journals.pop(key.split("/")[1], [])
        try:
            found = _intent(store, key, repository_id, report)
            report.counts["intents"] += 1
        except (Damage, Absent) as error:
            say(report, key, error)
            continue
        advance = Advance(found, report)
        for each in objects_of_it:
            _judge_object(store, each, found, advance, places, report)
    for import_id in journals:
        report.note(f"journal/{import_id}", "has no intent, and is nothing")


def _intent(store: Store, key: str, repository_id: str, report: Report) -> Intent:
    found = decode(store.read(key, SMALL_JSON_BYTES), "rouse-intent")
    if found["importId"] != key.split("/")[1]:
        raise Damage("is of another import")
    point = f"points/{found['machine']}/{key_time(str(found['time']))}"
    try:
        store.read(point, MANIFEST_BYTES)
        report.note(key, f"{point} is there: it may be removed")
    except (Damage, Absent):
        pass  # what is there is judged with the points
    disks = found["disks"]
    sizes = [_whole(members(disk, "disk")["sizeBytes"]) for disk in disks] if isinstance(disks, list) else []
    base = found["base"]
    named = members(base, "base") if base is not None else None
    disks_of_base = _base(store, key, str(found["machine"]), named, repository_id, report) if named is not None else None
    sizes_of_it = (_whole(found["chunkSizeBytes"]), _whole(found["frameSizeBytes"]))
    return Intent(sizes, *sizes_of_it, named is not None, disks_of_base)


def _base(
    store: Store, key: str, machine: str, named: dict[str, object], repository_id: str, report: Report
) -> list[Disk] | None:
    point_key = f"points/{machine}/{key_time(str(named['restorePoint']))}"
    try:
        point = read_point(store, point_key, repository_id)
    except (Damage, Absent):
        point = None
    if isinstance(point, Point) and hashlib.sha256(point.data).hexdigest() == named["manifestDigest"]:
        return point.disks
    report.note(key, f"its base {point_key} is not there as it names it")
    return None


def _judge_object(
    store: Store, key: str, intent: Intent, advance: Advance, places: Places, report: Report
) -> None:
    _, import_id, name = key.split("/")
    try:
        found = decode_journal(store.read(key, JOURNAL_BYTES), import_id, int(name))
        report.counts["journal objects"] += 1
        advance.take(key, found)
        for run in found.runs:
            _judge_references(key, run, intent, places, report)
            if run.base_disk is not None:
                report.counts["journal runs as in a base"] += 1
    except (Damage, Absent) as error:
        say(report, key, error)


def _judge_references(key: str, run: Run, intent: Intent, places: Places, report: Report) -> None:
    """Hints to a reader; but what they name was durable before them."""
    for number, reference in enumerate(run.references):
        place = places.at(reference.pack_id, reference.offset)
        is_there = place and (place.digest, place.stored, place.kind) == (reference.digest, reference.stored, CHUNKS)
        report.counts["journal references"] += 1
        if place is None or not is_there or place.raw is None:
            report.find(key, f"{reference.digest.hex()} is not at {reference.place()}", MISSING)
        elif place.raw != intent.bytes_of(run.disk, run.first + number):
            report.find(key, f"{reference.digest.hex()} has {place.raw} bytes, and is chunk {run.first + number}")


def _whole(value: object) -> int:
    if not isinstance(value, float):
        raise Damage(f"{value!r} is no number")
    return int(value)
