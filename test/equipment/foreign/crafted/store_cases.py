"""Names, and what lies where an object should."""
from __future__ import annotations

import os
import shutil

from .case import Case, Change
from .json_cases import POINT
from .repository import Repository


def put(*keys: str) -> Change:
    def change(made: Repository) -> None:
        for key in keys:
            made.write(key, b"")

    return change


def pipe(made: Repository, key: str) -> None:
    made.remove(key)
    os.mkfifo(made.path(key))


def aside(made: Repository, key: str) -> None:
    """Moved to where no key is, and a link to it."""
    os.rename(made.path(key), made.path(".aside"))
    os.symlink(made.path(".aside"), made.path(key))


def folder(made: Repository, key: str) -> None:
    made.remove(key)
    os.mkdir(made.path(key))


def pipe_as_feature(made: Repository) -> None:
    os.makedirs(made.path("features/read"), exist_ok=True)
    os.mkfifo(made.path("features/read/pipe"))


CASES = [
    Case("feature to read", 10, put("features/read/new"), "feature"),
    Case("feature to write", 0, put("features/write/new")),
    Case("feature to delete", 0, put("features/delete/new")),
    Case("feature elsewhere", 10, put("features/else"), "feature"),
    Case("feature of another kind", 10, put("features/list/new"), "feature"),
    Case("feature that is a pipe", 10, pipe_as_feature),
    Case("folder among the features", 0, lambda made: os.makedirs(made.path("features/read/folder"))),
    Case("feature, and damage that it hides", 10, put("features/read/new", POINT)),
    Case("link as a manifest", 9, lambda made: aside(made, POINT), "regular"),
    Case("pipe as a pin", 9, lambda made: pipe(made, made.keys("pins")[0]), "regular"),
    Case("folder as an index", 9, lambda made: folder(made, made.keys("index")[0]), "regular"),
    Case("link as a folder of packs", 9, lambda made: aside(made, os.path.dirname(made.packs(0)[0])), "no directory"),
    Case(
        "names of no key",
        0,
        put("NOTES", "packs/zz/x", "index/nothing", "condemned/x", "journal/x/1", "points/Web/20261120T030000.000Z",
            f"points/{'a' * 41}/20261120T030000.000Z", "points/web01/20261320T030000.000Z", "pins/.x", "bad/x/01"),
    ),
    Case("pack gone", 9, lambda made: made.remove(made.packs(0)[0]), "not there"),
    Case("pack of pages gone", 9, lambda made: made.remove(made.packs(1)[0]), "not there"),
    Case("all indexes gone", 0, lambda made: shutil.rmtree(made.path("index"))),
    Case("pack in the folder of another", 9, lambda made: os.rename(made.path(made.packs(0)[0]), made.path("packs/.p"))),
]
