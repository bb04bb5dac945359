"""Objects of a journal of which all is right but one thing. Head: 64 bytes; run: 24, and 56 for each reference."""
from __future__ import annotations

from .case import Case, Change, all_of
from .repository import Repository, has_base

RUNS = 64
SECOND_RUN = RUNS + 24


def byte(place: int, at: int, value: int) -> Change:
    return lambda made: made.journal(place, lambda body: body.__setitem__(at, value))


def attempt(place: int, of: int) -> Change:
    """The attempt of another object."""

    def change(made: Repository) -> None:
        other = made.read(made.journal_keys()[of])[32:48]
        made.journal(place, lambda body: body.__setitem__(slice(32, 48), other))

    return change


def import_with_base(made: Repository) -> str:
    return next(key.split("/")[1] for key in made.keys("intents") if has_base(made.read(key)))


def of_base(at: int, value: int) -> Change:
    """In the object that tells of it."""

    def change(made: Repository) -> None:
        import_id = import_with_base(made)
        place = made.journal_keys().index(f"journal/{import_id}/0000000001")
        made.journal(place, lambda body: body.__setitem__(at, value))

    return change


def base(**members: object) -> Change:
    def change(made: Repository) -> None:
        made.json(f"intents/{import_with_base(made)}", lambda intent: intent["base"].update(members))

    return change


def without_intent(made: Repository) -> None:
    for key in made.keys("intents"):
        made.remove(key)


CASES = [
    Case("journal object gone", 0, lambda made: made.remove(made.journal_keys()[1])),
    Case("journal without intent", 0, without_intent),
    Case("damaged journal object", 9, lambda made: made.write(made.journal_keys()[1], b"x" * 200), "digest"),
    Case("magic", 9, byte(0, 0, 0), "begin as"),
    Case("number", 9, lambda made: made.write(made.journal_keys()[1], made.read(made.journal_keys()[0])), "object 0"),
    Case("begins behind the end", 9, byte(0, 56, 1), "those before it end"),
    Case("begins at no disk", 9, byte(5, 48, 3), "not there"),
    Case("begins behind the end of a disk", 9, byte(3, 56, 5), "not there"),
    Case("begins at the end of a disk", 9, lambda made: made.journal(5, lambda body: body.__setitem__(slice(48, 64), b"\1\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0")), "not there"),
    Case("begins where its first run does not", 9, byte(1, 56, 1), "goes on"),
    Case("gap between runs", 9, byte(1, SECOND_RUN + 8, 4), "goes on"),
    Case("disk that is left before its end", 9, byte(2, RUNS + 18, 15), "goes on with disk 1"),
    Case("run behind the end of a disk", 9, lambda made: made.journal(2, lambda body: body.__setitem__(RUNS + 16, 1)), ""),
    Case("run of no disk", 9, byte(4, RUNS, 70), "disk 70"),
    Case("kind", 9, byte(1, RUNS + 4, 3), "kind"),
    Case("kind by its second byte", 9, byte(1, RUNS + 5, 1), "kind"),
    Case("run of no chunks", 9, byte(1, RUNS + 16, 0), "0 chunks"),
    Case("run of too many chunks", 9, byte(1, RUNS + 23, 255), "chunks"),
    Case("one run more", 9, byte(1, 52, 3), "ends in"),
    Case("one run less", 9, byte(1, 52, 1), "runs end"),
    Case("bytes behind the runs", 9, lambda made: made.journal(1, lambda body: body.append(0)), "runs end"),
    Case("reference that is zero", 9, lambda made: made.journal(1, lambda body: body.__setitem__(slice(-56, None), bytes(56))), "zero"),
    Case("reference to no place", 9, lambda made: made.journal(1, lambda body: body.__setitem__(-8, body[-8] ^ 1)), "is not at"),
    Case("zero chunks of a disk of the base", 9, byte(1, RUNS + 6, 1), "names disk 1"),
    Case("as in a base that there is none of", 9, byte(1, RUNS + 4, 2), "names no base"),
    Case("as on a disk that no base has", 9, of_base(RUNS + 6, 64), "names disk 64"),
    Case("as on a disk that the base has not", 9, of_base(RUNS + 6, 4), "no such disk"),
    Case("as on a disk of another size", 9, of_base(RUNS + 6, 3), "no such disk"),
    Case("as on another disk", 9, of_base(RUNS + 6, 0), "no such disk"),
    Case("base that is another point", 0, base(manifestDigest="0" * 64)),
    Case("base that is gone", 0, base(restorePoint="2026-11-01T03:00:00.000Z")),
    Case("attempt that begins with runs", 9, byte(4, 32, 1), "has runs"),
    Case("attempt that was superseded", 9, attempt(5, 0), "superseded"),
    Case("attempt that goes on", 0, all_of(attempt(3, 0), attempt(4, 0), attempt(5, 0))),
]
