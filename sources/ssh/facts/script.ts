import { findPython } from '../agent/find-python.ts';
import { quietLvm } from '../far/quiet-lvm.ts';

/** What is asked of a machine before anything is read: one script, that changes nothing. Whatever it does not tell is not known. */

/** Begins each part of what the script says; ASCII's own separator, which no text has. */
export const partMark = '\u001e';

export const factsScript = `${findPython}
part() { printf '\\036%s\\n' "$1"; }
show() { part "$1"; cat "$2" 2>/dev/null; }
part hostname; hostname 2>/dev/null || cat /proc/sys/kernel/hostname
part system; uname -s
part kernel; uname -r
part page; getconf PAGESIZE
show machine-id /etc/machine-id
show product-uuid /sys/class/dmi/id/product_uuid
show vendor /sys/class/dmi/id/sys_vendor
show product /sys/class/dmi/id/product_name
part cpus; grep -c '^processor' /proc/cpuinfo
show meminfo /proc/meminfo
show memory-block /sys/devices/system/memory/block_size_bytes
part memory-blocks; cat /sys/devices/system/memory/memory[0-9]*/online 2>/dev/null | grep -c 1
part firmware; if [ -d /sys/firmware/efi ]; then echo efi; else echo bios; fi
part secure-boot; od -An -tu1 -j4 -N1 /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c 2>/dev/null
show adjtime /etc/adjtime
part python; find_python
part nics
for at in /sys/class/net/*; do
	[ -e "$at/device" ] && [ "$(cat "$at/type")" = 1 ] || continue
	if [ -e "$at/bonding_slave/perm_hwaddr" ]; then cat "$at/bonding_slave/perm_hwaddr"; else cat "$at/address"; fi
done
part blocks; lsblk --json --bytes --paths --output-all
part starts
for at in /sys/class/block/*; do
	[ -e "$at/partition" ] && echo "\${at##*/} $(cat "$at/start") $(cat "$at/size")"
done
part written
for at in /sys/class/block/dm-*; do [ -e "$at/stat" ] && echo "\${at##*/} $(awk '{ print $7 }' "$at/stat")"; done
if command -v lvs >/dev/null 2>&1; then
	part groups; vgs ${quietLvm} --reportformat json --units b --nosuffix -o vg_name,vg_uuid,vg_free,vg_extent_size,vg_seqno
	part volumes; lvs ${quietLvm} --reportformat json --units b --nosuffix -o vg_name,lv_name,lv_uuid,lv_path,lv_dm_path,lv_size,lv_attr,lv_tags,origin,snap_percent,lv_kernel_major,lv_kernel_minor
	part physical; pvs ${quietLvm} --reportformat json -o pv_name,pv_uuid,vg_name
fi
exit 0`;
