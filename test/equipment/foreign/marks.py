"""Intents with their journals, pins and bad places."""
from __future__ import annotations

import hashlib

from .damage import MISSING, Damage
from .journal import Advance, decode_journal
from .json_objects import decode
from .keys import key_time, objects
from .limits import JOURNAL_BYTES, MANIFEST_BYTES, SMALL_JSON_BYTES
from .places import Places
from .report import Report
from .store import Absent, Store
from .stored_chunk import CHUNKS


def judge_intents(store: Store, report: Report) -> set[str]:
    """Ids of the imports under way."""
    found: set[str] = set()
    for key in objects(store, report, "intents"):
        name = key.split("/")[1]
        found.add(name)
        try:
            if decode(store.read(key, SMALL_JSON_BYTES), "rouse-intent")["importId"] != name:
                raise Damage("is of another import")
            report.counts["intents"] += 1
        except (Damage, Absent) as error:
            _say(report, key, error)
    return found


def judge_journals(store: Store, places: Places, intents: set[str], report: Report) -> None:
    advances: dict[str, tuple[int, Advance] | None] = {}
    for key in objects(store, report, "journal"):
        _, import_id, name = key.split("/")
        if import_id not in advances:
            advances = {import_id: (0, Advance())}  # keys come sorted: the import before is over
            if import_id not in intents:
                report.note(f"journal/{import_id}", "has no intent")
        try:
            advances[import_id] = _judge_journal(store, key, int(name), places, advances[import_id], report)
            report.counts["journal objects"] += 1
        except (Damage, Absent) as error:
            advances[import_id] = None
            _say(report, key, error)


def _judge_journal(
    store: Store, key: str, number: int, places: Places, expected: tuple[int, Advance] | None, report: Report
) -> tuple[int, Advance] | None:
    runs = decode_journal(store.read(key, JOURNAL_BYTES), key.split("/")[1], number)
    if expected is not None and number != expected[0]:
        report.find(key, f"object {expected[0]} is not there")
        expected = None
    for run in runs:
        if expected is not None:
            expected[1].take(run)
        for reference in run.references:
            place = places.at(reference.pack_id, reference.offset)
            is_there = place and (place.digest, place.stored, place.kind) == (reference.digest, reference.stored, CHUNKS)
            if not is_there or place is None or place.raw is None:
                report.find(key, f"{reference.digest.hex()} is not at {reference.place()}", MISSING)
            report.counts["journal references"] += 1
    return (number + 1, expected[1]) if expected is not None else None


def judge_pins(store: Store, report: Report) -> None:
    for key in objects(store, report, "pins"):
        try:
            pin = decode(store.read(key, SMALL_JSON_BYTES), "rouse-pin")
            if pin["recoveryId"] != key.split("/")[1]:
                raise Damage("is of another recovery")
            report.counts["pins"] += 1
        except (Damage, Absent) as error:
            _say(report, key, error)
            continue
        point = f"points/{pin['machine']}/{key_time(str(pin['restorePoint']))}"
        try:
            data = store.read(point, MANIFEST_BYTES)
        except (Damage, Absent):
            report.find(key, f"{point} cannot be read")
            continue
        if hashlib.sha256(data).hexdigest() != pin["manifestDigest"]:
            report.find(key, f"{point} is not the manifest that is pinned")


def judge_bad_places(store: Store, places: Places, report: Report) -> None:
    for key in objects(store, report, "bad"):
        _, pack_name, offset = key.split("/")
        try:
            mark = decode(store.read(key, SMALL_JSON_BYTES), "rouse-bad-place")
            if (mark["packId"], mark["offsetBytes"]) != (pack_name, float(offset)):
                raise Damage("is of another place")
            report.counts["bad places"] += 1
        except (Damage, Absent) as error:
            _say(report, key, error)
            continue
        pack_id = bytes.fromhex(pack_name)
        pack, place = places.pack(pack_id), places.at(pack_id, int(offset))
        if pack is None:
            report.note(key, "its pack is gone")
        elif pack.chunks is None:
            report.note(key, "its pack has no footer that can be read")
        elif place is None or (place.digest.hex(), place.stored) != (mark["digest"], mark["storedBytes"]):
            report.find(key, "the footer of its pack has no such place")
        elif place.raw is not None:
            report.note(key, "the place holds what it should: the mark may go")


def _say(report: Report, key: str, error: Damage | Absent) -> None:
    if isinstance(error, Damage):
        report.damage(key, error)
    else:
        report.find(key, "is gone since it was listed")
