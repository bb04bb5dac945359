"""What a member of a JSON object may be. A check throws Damage that names the member."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from . import canonical
from .damage import Damage
from .keys import ID, MACHINE, UUID
from .limits import FACTS_BYTES

Check = Callable[[object, str], None]


def anything(_value: object, _name: str) -> None:
    return


def text(pattern: str | None = None, most: int | None = None) -> Check:
    def check(value: object, name: str) -> None:
        if not isinstance(value, str):
            raise Damage(f"{name} is no text")
        if pattern is not None and not re.fullmatch(pattern, value):
            raise Damage(f"{name} is {value[:80]!r}")
        units = len(value.encode("utf-16-le")) // 2
        if most is not None and units > most:
            raise Damage(f"{name} has {units} characters, and may have {most}")

    return check


def whole(low: int, high: int, multiple_of: int = 1) -> Check:
    def check(value: object, name: str) -> None:
        if not isinstance(value, float) or not value.is_integer():
            raise Damage(f"{name} is no whole number")
        if not low <= value <= high or value % multiple_of != 0:
            raise Damage(f"{name} is {int(value)}")

    return check


def power_of_two(low: int, high: int) -> Check:
    in_range = whole(low, high)

    def check(value: object, name: str) -> None:
        in_range(value, name)
        if isinstance(value, float) and int(value).bit_count() != 1:
            raise Damage(f"{name} is no power of two")

    return check


def number_of(*allowed: int) -> Check:
    def check(value: object, name: str) -> None:
        whole(min(allowed), max(allowed))(value, name)
        if value not in allowed:
            raise Damage(f"{name} is {value}")

    return check


def one_of(*allowed: object) -> Check:
    def check(value: object, name: str) -> None:
        if not any(value is each or (isinstance(each, str) and value == each) for each in allowed):
            raise Damage(f"{name} is {str(value)[:80]!r}")

    return check


def nullable(inner: Check) -> Check:
    return lambda value, name: None if value is None else inner(value, name)


def list_of(inner: Check, most: int, least: int = 0) -> Check:
    def check(value: object, name: str) -> None:
        if not isinstance(value, list):
            raise Damage(f"{name} is no list")
        if not least <= len(value) <= most:
            raise Damage(f"{name} has {len(value)} items, and may have {least} to {most}")
        for number, item in enumerate(value):
            inner(item, f"{name}[{number}]")

    return check


def each_member(inner: Check) -> Check:
    def check(value: object, name: str) -> None:
        for member, item in members(value, name).items():
            inner(item, f"{name}.{member}")

    return check


def record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, is_open: bool = False) -> Check:
    known = {**required, **(optional or {})}

    def check(value: object, name: str) -> None:
        found = members(value, name)
        lacking = [member for member in required if member not in found]
        if lacking:
            raise Damage(f"{name} lacks {', '.join(lacking)}")
        unknown = [member for member in found if member not in known]
        if unknown and not is_open:
            raise Damage(f"{name} has {', '.join(unknown)[:80]}, which is not known")
        for member, inner in known.items():
            if member in found:
                inner(found[member], f"{name}.{member}")

    return check


def members(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Damage(f"{name} is no object")
    return value


def _real_time(value: object, name: str) -> None:
    text(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")(value, name)
    try:
        datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError as error:
        raise Damage(f"{name} is {value!r}") from error


time: Check = _real_time
uuid = text(UUID)
object_id = text(ID)
sha256_or_blake3 = text(r"[0-9a-f]{64}")
machine = text(MACHINE)
flag = one_of(True, False)


def facts(value: object, name: str) -> None:
    """What is in them is not looked at."""
    length = len(canonical.serialize(members(value, name)))
    if length > FACTS_BYTES:
        raise Damage(f"{name} has {length} bytes, and may have {FACTS_BYTES}")
