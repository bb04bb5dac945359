"""A directory as a store: no link below it is followed, and nothing is opened that is not a regular file."""
from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from .damage import Damage
from .limits import FOLDER_NAMES

NAME = re.compile(r"[a-zA-Z0-9_-][a-zA-Z0-9._-]*")
PIECE_BYTES = 2**20


class Absent(Exception):
    """No object has this key."""


@dataclass(frozen=True)
class Entry:
    name: str
    is_folder: bool
    is_file: bool


class StoredObject:
    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self.size = size

    def read(self, at: int, length: int) -> bytes:
        pieces: list[bytes] = []
        while length > 0:
            piece = os.pread(self._descriptor, length, at)
            if not piece:
                raise Damage(f"ends at {at}, where {length} more bytes should be")
            pieces.append(piece)
            at += len(piece)
            length -= len(piece)
        return b"".join(pieces)

    def stream(self, at: int, end: int) -> Iterator[bytes]:
        while at < end:
            piece = self.read(at, min(PIECE_BYTES, end - at))
            yield piece
            at += len(piece)

    def __enter__(self) -> StoredObject:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class Store:
    def __init__(self, directory: str) -> None:
        self._root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)

    def close(self) -> None:
        os.close(self._root)

    def open(self, key: str, most_bytes: int) -> StoredObject:
        """Throws Absent, or Damage for what is no regular file or too large."""
        *folders, name = key.split("/")
        if not all(_can_be_of_a_key(part) for part in (*folders, name)):
            raise Absent(key)
        folder = self._folder(folders)
        try:
            _must_be_regular(os.stat(name, dir_fd=folder, follow_symlinks=False))
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # it may have been exchanged since
            descriptor = os.open(name, flags, dir_fd=folder)
        except FileNotFoundError:
            raise Absent(key) from None
        except OSError as error:
            raise Damage(f"cannot be opened: {error.strerror}") from error
        finally:
            os.close(folder)
        opened = StoredObject(descriptor, os.fstat(descriptor).st_size)
        try:
            _must_be_regular(os.fstat(descriptor))
            if opened.size > most_bytes:
                raise Damage(f"has {opened.size} bytes, and may have {most_bytes}")
        except Damage:
            os.close(descriptor)
            raise
        return opened

    def read(self, key: str, most_bytes: int) -> bytes:
        with self.open(key, most_bytes) as opened:
            return opened.read(0, opened.size)

    def has(self, key: str) -> bool:
        """Whatever lies there."""
        return any(entry.name == key for entry in self.names(""))

    def names(self, folder: str) -> list[Entry]:
        """What could be part of a key, sorted; nothing when there is no such folder."""
        try:
            descriptor = self._folder(folder.split("/") if folder else [])
        except Absent:
            return []
        entries: list[Entry] = []
        try:
            with os.scandir(descriptor) as scan:
                for number, entry in enumerate(scan):
                    if number >= FOLDER_NAMES:
                        raise Damage(f"more than {FOLDER_NAMES} names")
                    if _can_be_of_a_key(entry.name):
                        is_folder = entry.is_dir(follow_symlinks=False)
                        entries.append(Entry(entry.name, is_folder, entry.is_file(follow_symlinks=False)))
        finally:
            os.close(descriptor)
        return sorted(entries, key=lambda entry: entry.name)

    def _folder(self, names: list[str]) -> int:
        descriptor = os.dup(self._root)
        for name in names:
            try:
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            except FileNotFoundError:
                raise Absent(name) from None
            except OSError as error:
                raise Damage(f"{name} is no directory: {error.strerror}") from error
            finally:
                os.close(descriptor)
            descriptor = inner
        return descriptor


def _can_be_of_a_key(name: str) -> bool:
    return NAME.fullmatch(name) is not None and not name.endswith(".rouse-tmp")


def _must_be_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Damage("is no regular file")
