/** What changes something on a machine: snapshots of LVM, and nothing else. What LVM may leave running must not have the lock. */
import { quietLvm } from './quiet-lvm.ts';

/**
 * One of us at a time, also when a session was cut and its script goes on: the lock lies on a directory that is there anyway, and nothing
 * is written into it.
 */
const alone = `exec 9</etc/lvm || exit 3
flock -w 60 9 || exit 75`;
export const busyExit = 75;
export const changedExit = 76;
/** LVM makes no snapshot: standard output says how lvcreate ended and of which volume, and then what it said. */
export const refusedExit = 77;

const withLvm = 'command -v lvs >/dev/null 2>&1 || exit 0';
const tellVolumes = `lvs ${quietLvm} --reportformat json --units b --nosuffix -o vg_name,lv_name,lv_uuid,lv_path,lv_dm_path,lv_size,lv_attr,lv_tags,origin,snap_percent,lv_kernel_major,lv_kernel_minor`;
export const volumesScript = `${withLvm}
${tellVolumes}`;
/** When no other script of ours is at work on them. */
export const volumesAtRestScript = `${withLvm}
${alone}
${tellVolumes}`;

/** How the kernel has a snapshot, and what that has kept. */
const kept = `kept() {
	device=$(lvs ${quietLvm} --noheadings -o lv_dm_path "$1" | tr -d ' ')
	echo "$1 $(dmsetup table "$device") $(dmsetup status "$device")"
}`;

/**
 * Arguments: the tags, one behind the other with a comma; then `group seqno` for each group, a lone `-`, and `group origin name
 * extents` for each snapshot. Says of each, when the last one has been made, how the kernel has it, and what it has kept.
 */
export const snapshotScript = `${alone}
${kept}
tags=$1; shift
while [ "$1" != - ]; do
	[ "$(vgs ${quietLvm} --noheadings -o vg_seqno "$1" | tr -d ' ')" = "$2" ] || exit ${changedExit}
	shift 2
done
shift
options=
for tag in $(echo "$tags" | tr , ' '); do options="$options --addtag $tag"; done
made=
undo() { for one in $made; do lvremove ${quietLvm} --yes --force "$one" >&2 </dev/null 9<&-; done; }
while [ $# -gt 0 ]; do
	said=$(lvcreate ${quietLvm} --yes --snapshot --permission r --extents "$4" --name "$3" $options "$1/$2" 2>&1 </dev/null 9<&-) || {
		printf '%s %s\\n%s\\n' $? "$1/$2" "$said"
		undo
		exit ${refusedExit}
	}
	made="$1/$3 $made"
	shift 4
done
for one in $made; do kept "$one"; done`;

/** Arguments: the snapshots. */
export const keptScript = `${kept}
for one in "$@"; do kept "$one"; done`;

/** Arguments: the volume, and its tags. */
export const addTagsScript = `${alone}
volume=$1; shift
options=
for tag in "$@"; do options="$options --addtag $tag"; done
lvchange ${quietLvm} $options "$volume" >&2 </dev/null 9<&-`;

/**
 * Arguments: the volumes. Nothing but what is ours is ever removed, whatever is asked; that need not be a snapshot yet, where the
 * machine went down while it was made. An lvs that fails does not say that nothing is there.
 */
export const removeScript = `${alone}
there=$(lvs ${quietLvm} --noheadings -o lv_full_name,lv_tags) || exit 3
for one in "$@"; do
	found=$(echo "$there" | awk -v one="$one" '$1 == one { print "tags", $2 }')
	[ -n "$found" ] || continue
	case "$one $found" in
	*/rouse_*' tags '*rouse.tag=*) lvremove ${quietLvm} --yes --force "$one" >&2 </dev/null 9<&- || exit ${busyExit} ;;
	*) echo "$one is none of ours" >&2; exit 3 ;;
	esac
done`;
