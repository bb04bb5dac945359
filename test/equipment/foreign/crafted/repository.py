"""A repository that a case changes: objects are decoded no further than is needed to put other checksums on them."""
from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable

from .. import canonical
from ..digests import PACK_TRAILER, digest, number
from ..encode import PackDraft, Piece

INDEX_TRAILER = 144
ChangePack = Callable[[bytearray, bytearray], None]
"""Of its footer, and of what is before it."""
ChangeIndex = Callable[[bytearray, bytearray, bytearray], None]
"""Of its records, of the sections behind them, and of its trailer, whose digests come after."""


class Repository:
    def __init__(self, directory: str) -> None:
        self.directory = directory

    def path(self, key: str) -> str:
        return os.path.join(self.directory, key)

    def read(self, key: str) -> bytes:
        with open(self.path(key), "rb") as file:
            return file.read()

    def write(self, key: str, data: bytes) -> None:
        """In its place, never into it: it may be a link to what other cases begin with."""
        os.makedirs(os.path.dirname(self.path(key)), exist_ok=True)
        if os.path.lexists(self.path(key)):
            os.unlink(self.path(key))
        with open(self.path(key), "xb") as file:
            file.write(data)

    def remove(self, key: str) -> None:
        os.unlink(self.path(key))

    def keys(self, folder: str) -> list[str]:
        found = [os.path.join(at, name) for at, _, names in os.walk(self.path(folder)) for name in names]
        return sorted(os.path.relpath(path, self.directory) for path in found if not path.endswith(".rouse-tmp"))

    def packs(self, kind: int) -> list[str]:
        packs = [key for key in self.keys("packs") if "/." not in key]
        return [key for key in packs if _split(self.read(key))[1][24] == kind]

    def json(self, key: str, change: Callable[[dict[str, object]], object]) -> None:
        found: dict[str, object] = json.loads(self.read(key))
        del found["checksum"]
        change(found)
        found["checksum"] = hashlib.sha256(canonical.serialize(found)).hexdigest()
        self.write(key, canonical.serialize(found))

    def pack(self, key: str, change: ChangePack, reserved: bytes = bytes(4)) -> None:
        data, footer = _split(self.read(key))
        change(footer, data)
        trailer = PACK_TRAILER + number(len(footer), 4) + reserved + digest(bytes(data))
        self.write(key, bytes(data + footer) + trailer + digest(bytes(footer), trailer))

    def new_pack(self, kind: int, piece: Piece) -> None:
        draft = PackDraft(b"\x33" * 16, kind)
        draft.add(piece)
        self.write(f"packs/33/{'33' * 16}", draft.encode())

    def index(self, key: str, change: ChangeIndex) -> None:
        whole = self.read(key)
        trailer = bytearray(whole[-INDEX_TRAILER:])
        at = 44 * int.from_bytes(trailer[24:32], "little")
        records, rest = bytearray(whole[:at]), bytearray(whole[at:-INDEX_TRAILER])
        change(records, rest, trailer)
        trailer[48:80], trailer[80:112] = digest(bytes(records)), digest(bytes(rest))
        trailer[112:] = digest(bytes(trailer[:112]))
        self.write(key, bytes(records + rest + trailer))

    def journal(self, place: int, change: Callable[[bytearray], object]) -> None:
        """Of the import under way."""
        key = self.journal_keys()[place]
        body = bytearray(self.read(key)[:-32])
        change(body)
        self.write(key, bytes(body) + digest(bytes(body)))

    def journal_keys(self) -> list[str]:
        """Those of imports with a base last."""
        with_intent = {key.split("/")[1]: has_base(self.read(key)) for key in self.keys("intents")}
        keys = [key for key in self.keys("journal") if key.split("/")[1] in with_intent]
        return sorted(keys, key=lambda key: (with_intent[key.split("/")[1]], key))

    def first_frame(self, make: Callable[[bytes], bytes]) -> None:
        """Another first stored chunk, in a pack that begins with one of a compressed frame of 4096 bytes; its digest stays."""
        key = next(key for key in self.packs(0) if _begins_compressed(self.read(key)))

        def change(footer: bytearray, data: bytearray) -> None:
            (stored,) = struct.unpack_from("<I", footer, 72)
            data[:stored] = made = make(bytes(data[:stored]))
            struct.pack_into("<I", footer, 72, len(made))

        self.pack(key, change)


def has_base(intent: bytes) -> bool:
    return json.loads(intent)["base"] is not None


def _split(pack: bytes) -> tuple[bytearray, bytearray]:
    at = len(pack) - 80 - int.from_bytes(pack[-72:-68], "little")
    return bytearray(pack[:at]), bytearray(pack[at:-80])


def _begins_compressed(pack: bytes) -> bool:
    return pack[2:4] == b"\x01\x00" and pack[7] < 0x80 and pack[40:47] == b"\x28\xb5\x2f\xfd\x60\x00\x0f"
