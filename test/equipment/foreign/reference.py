"""A digest and a place."""
from __future__ import annotations

import struct
from dataclasses import dataclass

from .damage import Damage
from .limits import LEAST_STORED_BYTES, MOST_STORED_BYTES, PACK_BYTES

REFERENCE_BYTES = 56
_layout = struct.Struct("<32s16sII")
_zero = bytes(REFERENCE_BYTES)


@dataclass(frozen=True)
class Reference:
    digest: bytes
    pack_id: bytes
    offset: int
    stored: int

    def place(self) -> str:
        return f"{self.pack_id.hex()} at {self.offset}, {self.stored} bytes"


def decode(data: bytes) -> Reference | None:
    """None for what is zero."""
    if data == _zero:
        return None
    reference = Reference(*_layout.unpack(data))
    if not LEAST_STORED_BYTES <= reference.stored <= MOST_STORED_BYTES:
        raise Damage(f"a reference of {reference.stored} stored bytes")
    if reference.offset + reference.stored > PACK_BYTES:
        raise Damage("a reference to what is behind the end of every pack")
    return reference


def decode_all(data: bytes) -> list[Reference | None]:
    return [decode(data[at : at + REFERENCE_BYTES]) for at in range(0, len(data), REFERENCE_BYTES)]
