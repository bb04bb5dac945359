"""Canonical JSON, RFC 8785. Every number is a double, as it is there."""
from __future__ import annotations

import json
import math
from typing import NoReturn

from .damage import Damage
from .limits import JSON_DEPTH

ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def parse(data: bytes) -> object:
    """Throws Damage for what is not JSON, or not canonical."""
    try:
        text = data.decode("utf-8")
        value: object = json.loads(text, parse_int=float, parse_constant=_no_constant)
        _must_be_flat(value, JSON_DEPTH + 1)  # the outermost is not counted
        canonical = serialize(value)
    except (ValueError, RecursionError) as error:
        raise Damage(f"is not JSON: {error}") from error
    if canonical != data:
        raise Damage("is not canonical JSON")
    return value


def _must_be_flat(value: object, depth: int) -> None:
    if isinstance(value, (list, dict)):
        if depth == 0:
            raise ValueError(f"nests more than {JSON_DEPTH} deep")
        for inner in value.values() if isinstance(value, dict) else value:
            _must_be_flat(inner, depth - 1)


def serialize(value: object) -> bytes:
    return _text(value).encode("utf-8")  # a lone surrogate is a UnicodeEncodeError, which is a ValueError


def _text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number(float(value))
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return "[" + ",".join(_text(item) for item in value) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_string(name)}:{_text(value[name])}" for name in names) + "}"
    raise ValueError(f"{type(value).__name__} is not of JSON")


def _string(text: str) -> str:
    return '"' + "".join(ESCAPES.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def _number(value: float) -> str:
    """ECMA-262, Number::toString: Python finds the same shortest digits, and writes them otherwise."""
    if not math.isfinite(value):
        raise ValueError("a number is not finite")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, exponent = f"{abs(value)!r}e0".split("e")[:2]
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not of JSON")
