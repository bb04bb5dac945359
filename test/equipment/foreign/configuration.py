"""The configuration in a manifest."""
from __future__ import annotations

from .limits import DISKS
from .shapes import each_member, flag, list_of, nullable, number_of, one_of, record, text, whole

GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"

_sector = number_of(512, 4096)
_efi_variable = record(
    {"vendor": text(GUID), "name": text(), "attributes": whole(0, 2**32 - 1), "data": text(BASE64)}
)
_nic = record({"mac": text(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}"), "network": text()})
_disk = record(
    {
        "position": whole(0, DISKS - 1),
        "serial": nullable(text(most=40)),
        "logicalSectorBytes": _sector,
        "physicalSectorBytes": _sector,
    }
)
_module = record({"early": nullable(one_of("kernel", "initramfs", "blocked", "no")), "installed": nullable(flag)})
_boot = record(
    {
        "kernels": list_of(record({"version": text(), "modules": each_member(_module)}), 3),
        "windows": nullable(record({"starts": each_member(nullable(whole(0, 2**32 - 1)))})),
        "deviceNames": list_of(record({"file": text(), "device": text()}), 16),
        "notLookedAt": list_of(text(), 16),
    }
)
configuration = record(
    {
        "cpus": whole(1, 256),
        "memoryMiB": whole(16, 4_194_304),
        "firmware": one_of("bios", "efi"),
        "secureBoot": nullable(flag),
        "vtpm": nullable(flag),
        "efiVariables": nullable(list_of(_efi_variable, 64)),
        "nics": list_of(_nic, 8),
        "disks": list_of(_disk, DISKS, least=1),
        "clock": one_of("utc", "localtime"),
        "os": one_of("linux", "windows", "other"),
        "drivers": list_of(record({"name": text(), "learntFrom": one_of("spec", "source", "disks")}), 16),
        "boot": nullable(_boot),
        "origin": record({"kind": text(r"[a-z0-9-]{1,20}"), "detail": text(most=200)}, is_open=True),
    }
)
