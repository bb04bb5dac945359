"""Pins and bad places."""
from __future__ import annotations

import hashlib

from .damage import Damage
from .json_objects import decode
from .keys import key_time, objects
from .limits import MANIFEST_BYTES, SMALL_JSON_BYTES
from .places import Places
from .report import Report
from .store import Absent, Store


def judge_pins(store: Store, report: Report) -> None:
    for key in objects(store, report, "pins"):
        try:
            pin = decode(store.read(key, SMALL_JSON_BYTES), "rouse-pin")
            if pin["recoveryId"] != key.split("/")[1]:
                raise Damage("is of another recovery")
            report.counts["pins"] += 1
        except (Damage, Absent) as error:
            say(report, key, error)
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
            say(report, key, error)
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


def say(report: Report, key: str, error: Damage | Absent) -> None:
    if isinstance(error, Damage):
        report.damage(key, error)
    else:
        report.find(key, "is gone since it was listed")
