"""Gets chunks and pages by their references. The digest is the truth, the place a hint."""
from __future__ import annotations

from .damage import MISSING, Damage
from .keys import pack_key
from .limits import PACK_BYTES
from .places import Places
from .reference import Reference
from .report import Report
from .store import Absent, Store
from .stored_chunk import Verified, most_stored_bytes, verified


class ChunkReader:
    def __init__(self, store: Store, places: Places, report: Report) -> None:
        self._store = store
        self._places = places
        self._report = report

    def read(self, wanted: Reference, kind: int, raw_bytes: int, key: str) -> Verified:
        """Verified bytes. Throws Damage `chunk_missing`. `key`: of the object that needs it."""
        try:
            return self._read_at(wanted, wanted, kind, raw_bytes)
        except Damage as damage:
            for other, _ in self._places.of_digest(wanted.digest, kind):
                if (other.pack_id, other.offset) == (wanted.pack_id, wanted.offset):
                    continue
                try:
                    found = self._read_at(wanted, other, kind, raw_bytes)
                except Damage:
                    continue
                self._note_elsewhere(wanted, other, key)
                return found
            raise _missing(wanted, damage.what) from damage

    def frame_log_of(self, wanted: Reference, kind: int, raw_bytes: int, key: str) -> int:
        """Whether the scan of the packs found it; reads only what that did not reach. Throws as `read` does."""
        place = self._places.at(wanted.pack_id, wanted.offset)
        if place and (place.digest, place.stored, place.kind, place.raw) == (
            wanted.digest,
            wanted.stored,
            kind,
            raw_bytes,
        ):
            assert place.frame_log is not None
            return place.frame_log
        for other, found in self._places.of_digest(wanted.digest, kind):
            if found.raw == raw_bytes and found.frame_log is not None:
                self._note_elsewhere(wanted, other, key)
                return found.frame_log
        return self.read(wanted, kind, raw_bytes, key).frame_log

    def _read_at(self, wanted: Reference, place: Reference, kind: int, raw_bytes: int) -> Verified:
        if place.stored > most_stored_bytes(raw_bytes):
            raise Damage(f"{place.stored} stored bytes for {raw_bytes}")
        key = pack_key(place.pack_id)
        try:
            with self._store.open(key, PACK_BYTES) as pack:
                stored = pack.read(place.offset, place.stored)
        except Absent:
            raise Damage(f"{key} is not there") from None
        return verified(stored, wanted.digest, kind, raw_bytes)

    def _note_elsewhere(self, wanted: Reference, other: Reference, key: str) -> None:
        self._report.note(key, f"{wanted.digest.hex()} is not at {wanted.place()}, but at {other.place()}")


def _missing(wanted: Reference, why: str) -> Damage:
    return Damage(f"{wanted.digest.hex()} at {wanted.place()}: {why}", MISSING)
