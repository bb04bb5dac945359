"""What a case is: a change of a good repository, and what a reader must say of it."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .repository import Repository

Change = Callable[[Repository], object]


def all_of(*changes: Change) -> Change:
    def change(made: Repository) -> None:
        for each in changes:
            each(made)

    return change


@dataclass(frozen=True)
class Case:
    name: str
    exit_code: int
    """0: nothing but what is allowed; 9: damaged; 10: not supported."""
    change: Change
    says: str = ""
    """A part of what the findings say together."""
