"""The keys that there are, by the table of docs/format.md, found in the folders of a store."""
from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from .damage import Damage
from .limits import KEY_CHARACTERS
from .report import Report
from .store import Store

ID = r"[0-9a-f]{32}"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
MACHINE = r"[a-z0-9][a-z0-9-]{0,39}"
KEY_TIME = r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z"
SHAPES: dict[str, list[str]] = {
    "packs": [r"[0-9a-f]{2}", ID],
    "index": [ID],
    "points": [MACHINE, KEY_TIME],
    "intents": [UUID],
    "journal": [UUID, r"[0-9]{10}"],
    "pins": [UUID],
    "bad": [ID, r"0|[1-9][0-9]*"],
}
TOP = {"rouse-repository", "rouse-repository.copy", "features", *SHAPES}
KEPT_FREE = {"condemned", "keys", "rollups"}


def pack_key(pack_id: bytes) -> str:
    name = pack_id.hex()
    return f"packs/{name[:2]}/{name}"


def key_time(time: str) -> str:
    """A manifest's time as it is in its key."""
    return time.replace("-", "").replace(":", "")


def objects(store: Store, report: Report, folder: str) -> Iterator[str]:
    """Keys under a folder; what cannot be listed is a finding, a name that no key has is a note."""
    yield from _below(store, report, folder, SHAPES[folder])


def _below(store: Store, report: Report, folder: str, shapes: list[str]) -> Iterator[str]:
    try:
        entries = store.names(folder)
    except Damage as damage:
        report.damage(folder, damage)
        return
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if not re.fullmatch(shapes[0], entry.name):
            report.note(path, "no key has this name")
        elif len(shapes) > 1:
            yield from _below(store, report, path, shapes[1:])
        elif _is_key(path, entry.name):
            yield path
        else:
            report.note(path, "no key has this name")


def _is_key(path: str, name: str) -> bool:
    parts = path.split("/")
    if len(path) > KEY_CHARACTERS:
        return False
    if parts[0] == "packs":
        return name.startswith(parts[1])
    if parts[0] == "bad":
        return len(name) <= 10 and int(name) < 2**32
    return parts[0] != "points" or _is_time(name)


def _is_time(name: str) -> bool:
    try:
        datetime.strptime(name, "%Y%m%dT%H%M%S.%fZ")
        return True
    except ValueError:
        return False


def strange_names(store: Store, report: Report) -> None:
    for entry in store.names(""):
        if entry.name in KEPT_FREE:
            report.note(entry.name, "is kept free for what comes")
        elif entry.name not in TOP:
            report.note(entry.name, "no key has this name")
