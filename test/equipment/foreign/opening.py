"""What comes before all else: features that forbid it, header and copy."""
from __future__ import annotations

from .damage import UNSUPPORTED, Damage
from .json_objects import decode
from .limits import SMALL_JSON_BYTES
from .report import Report
from .store import Absent, Store

HEADER = "rouse-repository"
COPY = "rouse-repository.copy"


def may_be_read(store: Store, report: Report) -> bool:
    before = len(report.findings)
    try:
        _look(store, report, "features")
    except Damage as damage:
        report.damage("features", damage)
    return len(report.findings) == before


def _look(store: Store, report: Report, folder: str) -> None:
    """Only names count, whatever lies there; a folder is none."""
    for entry in store.names(folder):
        path = f"{folder}/{entry.name}"
        if entry.is_folder:
            _look(store, report, path)
        elif folder in ("features/write", "features/delete"):
            report.note(path, "a feature that forbids others to write or delete")
        else:
            report.find(path, "a feature that is not known", UNSUPPORTED)


def repository_id(store: Store, report: Report) -> str | None:
    """Of the header, or of its copy where the header is damaged or not there; None where neither can be read."""
    header, copy = _read(store, HEADER, report), _read(store, COPY, report)
    if header is not None and copy is not None and header != copy:
        report.find(COPY, "is not the same as the header")
    found = header if header is not None else copy
    if found is None:
        if not report.findings:
            report.find(HEADER, "there is no repository here")
        return None
    if any(finding["key"] == HEADER and finding["code"] == UNSUPPORTED for finding in report.findings):
        return None  # too new is not damaged: the copy does not count
    report.counts["headers"] += (header is not None) + (copy is not None)
    return str(decode(found, HEADER)["id"])


def _read(store: Store, key: str, report: Report) -> bytes | None:
    try:
        data = store.read(key, SMALL_JSON_BYTES)
        decode(data, HEADER)
        return data
    except Absent:
        if key == COPY:
            report.note(key, "is not there; the next import writes it")
        elif store.has(COPY):
            report.find(key, "is not there; its copy counts")
    except Damage as damage:
        report.damage(key, damage)
    return None
