"""Header, manifests, intents, pins, bad places."""
from __future__ import annotations

import os
from collections.abc import Callable

from .case import Case, Change, all_of
from .repository import Repository

HEADER = "rouse-repository"
POINT = "points/web01/20261120T030000.000Z"
UNPINNED = "points/frames/20261120T030000.000Z"
NO_ID = "00000000-0000-0000-0000-000000000000"
Members = dict[str, object]


def edit(key: str, change: Callable[[Members], object]) -> Change:
    return lambda made: made.json(key, change)


def first(folder: str, change: Callable[[Members], object]) -> Change:
    return lambda made: made.json(made.keys(folder)[0], change)


def member(key: str, **members: object) -> Change:
    return edit(key, lambda found: found.update(members))


def replace(key: str, old: bytes, new: bytes) -> Change:
    return lambda made: made.write(key, made.read(key).replace(old, new))


def within(owner: Members, name: str) -> Members:
    found = owner[name]
    assert isinstance(found, dict)
    return found


def disk(number: int, change: Callable[[Members], object], key: str = POINT) -> Change:
    def of_manifest(found: Members) -> None:
        disks = found["disks"]
        assert isinstance(disks, list)
        change(disks[number])

    return edit(key, of_manifest)


def sized(number: int, name: str, by: int) -> Change:
    """`by`: how much more."""

    def change(found: Members) -> None:
        before = found[name]
        assert isinstance(before, int)
        found[name] = before + by

    return disk(number, change)


def nested(depth: int) -> Change:
    """Facts such that all of the manifest nests so deep, itself not counted."""
    value: object = 1
    for _ in range(depth - 1):
        value = {"a": value}
    return edit(UNPINNED, lambda found: within(found, "facts").update(deep=value))


def no_disks(found: Members) -> None:
    found["disks"] = []
    within(found, "config")["disks"] = []


def both(change: Callable[[Repository, str], object]) -> Change:
    return all_of(lambda made: change(made, HEADER), lambda made: change(made, f"{HEADER}.copy"))


CASES = [
    Case("nothing", 0, lambda made: None),
    Case("header damaged", 9, lambda made: made.write(HEADER, b"x"), "JSON"),
    Case("header gone", 9, lambda made: made.remove(HEADER), "its copy counts"),
    Case("header that is a list", 9, lambda made: made.write(HEADER, b"[]"), "no object"),
    Case("copy gone", 0, lambda made: made.remove(f"{HEADER}.copy")),
    Case("both gone", 9, both(lambda made, key: made.remove(key)), "no repository"),
    Case("both damaged", 9, both(lambda made, key: made.write(key, b"[")), "JSON"),
    Case("copy of another repository", 9, member(f"{HEADER}.copy", id=NO_ID), "not the same"),
    Case("header of version 2", 10, member(HEADER, version=2), "version"),
    Case("header of version 2, wrong checksum", 9, replace(HEADER, b'"version":1', b'"version":2'), "checksum"),
    Case("header with more", 9, member(HEADER, extra=1), "not known"),
    Case("header too long", 9, lambda made: made.write(HEADER, b" " * 65_537), "may have"),
    Case("header chunk size", 9, member(HEADER, chunkSizeBytes=4097), "chunkSizeBytes"),
    Case("header frame size", 9, member(HEADER, frameSizeBytes=49_152), "power"),
    Case("header digest", 9, member(HEADER, digest="sha256"), "digest"),
    Case("manifest of version 2", 10, member(UNPINNED, version=2), "version"),
    Case("manifest of another type", 9, member(UNPINNED, type="rouse-intent"), "instead"),
    Case("manifest of another repository", 9, member(UNPINNED, repositoryId=NO_ID), "repository"),
    Case("manifest elsewhere", 9, lambda made: made.write(POINT.replace("01", "02", 1), made.read(POINT)), "is of web01"),
    Case("fence elsewhere", 9, lambda made: made.json(made.keys("points/fenced")[0], lambda it: it.update(machine="b")), "is of b"),
    Case("fence with more", 9, first("points/fenced", lambda found: found.update(disks=[])), "not known"),
    Case("manifest with a member twice", 9, replace(UNPINNED, b'"version":1', b'"version":1,"version":1'), "canonical"),
    Case("manifest with a newline", 9, lambda made: made.write(UNPINNED, made.read(UNPINNED) + b"\n"), "canonical"),
    Case("manifest of brackets", 9, lambda made: made.write(UNPINNED, b"[" * 1_000_000 + b"]" * 1_000_000), "JSON"),
    Case("manifest with half a pair", 9, replace(UNPINNED, b'"note":"', b'"note":"\\ud800'), "JSON"),
    Case("manifest with a byte that is no UTF-8", 9, replace(UNPINNED, b'"note":"', b'"note":"\xff'), "JSON"),
    Case("manifest 32 deep", 0, nested(32)),
    Case("manifest 33 deep", 9, nested(33), "deep"),
    Case("facts too long", 9, edit(UNPINNED, lambda found: within(found, "facts").update(more="x" * 65_536)), "facts"),
    Case("content digest", 9, disk(0, lambda found: found.update(contentDigest="00" * 32)), "content digest"),
    Case("bytes of data", 9, sized(1, "dataBytes", -1), "bytes of data"),
    Case("a chunk less", 9, sized(0, "sizeBytes", -4096)),
    Case("a byte more", 9, sized(0, "sizeBytes", 1)),
    Case("chunk size", 9, sized(0, "chunkSizeBytes", 4096)),
    Case("frame size", 9, sized(1, "frameSizeBytes", 16_384), "frames of"),
    Case("too many chunks", 9, disk(0, lambda found: found.update(sizeBytes=2**50)), "chunks"),
    Case("too large a disk", 9, disk(0, lambda found: found.update(sizeBytes=2**50 + 1)), "sizeBytes"),
    Case("no disks", 9, edit(UNPINNED, no_disks), "items"),
    Case("a byte of no disk", 9, disk(0, lambda found: found.update(sizeBytes=0)), "sizeBytes"),
    Case("nothing is missing", 9, disk(0, lambda found: found.update(missing={"atBytes": 0, "lengthBytes": 0})), "length"),
    Case("more is missing than there is", 9, disk(0, lambda found: found.update(missing={"atBytes": 1, "lengthBytes": found["sizeBytes"]})), "lacks"),
    Case("content digest in upper case", 9, disk(0, lambda found: found.update(contentDigest="AA" * 32)), "contentDigest"),
    Case("more disks than configured", 9, edit(UNPINNED, lambda found: within(found, "config").update(disks=[])), "items"),
    Case("configuration with more", 9, edit(UNPINNED, lambda found: within(found, "config").update(tpm=1)), "not known"),
    Case("configuration without boot", 9, edit(UNPINNED, lambda found: within(found, "config").pop("boot")), "lacks"),
    Case("origin with more", 0, edit(UNPINNED, lambda found: within(within(found, "config"), "origin").update(a=1))),
    Case("root gone", 9, disk(0, lambda found: found.pop("root")), "root"),
    Case("root elsewhere", 0, disk(0, lambda found: within(found, "root").update(offsetBytes=1), UNPINNED)),
    Case("root elsewhere, pinned", 9, disk(0, lambda found: within(found, "root").update(offsetBytes=1)), "that is pinned"),
    Case("root behind every pack", 9, disk(0, lambda found: within(found, "root").update(offsetBytes=2**32 - 42), UNPINNED), "behind"),
    Case("pin of nothing", 9, lambda made: os.unlink(made.path(POINT)), "cannot be read"),
    Case("pin with a long reason", 9, first("pins", lambda found: found.update(reason="x" * 501)), "reason"),
    Case("pin with pairs in its reason", 9, first("pins", lambda found: found.update(reason="\U0001f980" * 251)), "reason"),
    Case("pin with a number for a reason", 9, first("pins", lambda found: found.update(reason=1)), "no text"),
    Case("intent without moment", 9, first("intents", lambda found: found.pop("moment")), "lacks"),
    Case("intent without disks", 9, first("intents", lambda found: found.update(disks=[])), "items"),
    Case("bad place elsewhere", 9, first("bad", lambda found: found.update(offsetBytes=1)), "another place"),
    Case("bad place with another digest", 9, first("bad", lambda found: found.update(digest="00" * 32)), "no such place"),
]
