"""Imports under way, in the written repository."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from uuid import UUID

from .draft import Draft, data_series
from .encode import Piece, RunDraft, encode_chunk, encode_journal, encode_json
from .images import KIB, words

THIRD = "2026-11-22T03:00:00.999Z"
ZEROS = 2**20
"""Chunks in which a disk is zero: more than a reader should keep a list of."""


def put_intent(
    draft: Draft, machine: str, disk_sizes: list[int], moment: str | None, others: Mapping[str, object] | None = None
) -> str:
    import_id = draft.uuid()
    members: dict[str, object] = {
        "importId": import_id,
        "machine": machine,
        "time": THIRD,
        "moment": moment,
        "disks": [{"sizeBytes": size} for size in disk_sizes],
        "chunkSizeBytes": 8 * KIB,
        "frameSizeBytes": 16 * KIB,
        "base": None,
        "startedAt": THIRD,
        "hostname": "host1",
        "pid": 4711,
        **(others or {}),
    }
    draft.put(f"intents/{import_id}", encode_json("rouse-intent", members))
    return import_id


def put_dead_import(draft: Draft) -> None:
    """Of two attempts, the second of which begins before the first ended; its packs have no index."""
    import_id = put_intent(draft, "db-2", [(6 + ZEROS) * 8 * KIB, 4 * 8 * KIB + 1], "snapshot 7")
    data = data_series(draft)
    chunk = [data.place(_chunk(draft, 8 * KIB)) for _ in range(5)]
    last = data.place(_chunk(draft, 1))
    data.close()
    first, second = draft.id(), draft.id()
    objects = [
        (first, (0, 0), []),
        (first, (0, 0), [RunDraft(0, 0, 3), RunDraft(0, 3, chunk[:3])]),
        (first, (0, 6), [RunDraft(0, 6, ZEROS), RunDraft(1, 0, chunk[3:])]),
        (second, (1, 0), []),
        (second, (1, 0), [RunDraft(1, 0, chunk[4:]), RunDraft(1, 1, 3), RunDraft(1, 4, [last])]),
        (second, (2, 0), []),
    ]
    for number, (attempt, begins, runs) in enumerate(objects):
        data_of_it = encode_journal(UUID(import_id), number, attempt, begins, runs)
        draft.put(f"journal/{import_id}/{number:010}", data_of_it)


def put_import_with_base(draft: Draft, machine: str, restore_point: str, manifest: bytes, disk: int, size: int) -> None:
    """Of one disk, which has not changed since the base."""
    base = {"restorePoint": restore_point, "manifestDigest": hashlib.sha256(manifest).hexdigest()}
    sizes = {"chunkSizeBytes": 128 * KIB, "frameSizeBytes": 64 * KIB}
    import_id = put_intent(draft, machine, [size], "snapshot 8", {**sizes, "base": base})
    attempt, chunks = draft.id(), -(-size // (128 * KIB))
    for number, runs in enumerate([[], [RunDraft(0, 0, chunks, disk)]]):
        draft.put(f"journal/{import_id}/{number:010}", encode_journal(UUID(import_id), number, attempt, (0, 0), runs))


def put_what_is_left(draft: Draft) -> None:
    """An import that failed and cannot be carried on, and a journal whose intent is gone."""
    put_intent(draft, "db-3", [1], None)
    gone = draft.uuid()
    draft.put(f"journal/{gone}/0000000003", encode_journal(UUID(gone), 3, draft.id(), (0, 0), []))


def _chunk(draft: Draft, length: int) -> Piece:
    return encode_chunk(words(draft.random, length), 14)
