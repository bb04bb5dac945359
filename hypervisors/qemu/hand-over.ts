import { asRouseError } from '../../model/errors.ts';
import { replaceFileDurably } from '../../system/durable-file.ts';
import { aliasOf, type Tap, tapCommands } from '../../system/taps.ts';
import type { MachineDefinition } from '../contract.ts';
import type { Acceleration } from './acceleration.ts';
import { tapsOf } from './host-networks.ts';
import type { QemuHost } from './host.ts';
import { accelerationOf, startArguments } from './launch.ts';
import { openingMacvtaps } from './macvtap-devices.ts';
import { targetOf } from './network-target.ts';
import type { ReservedUser } from './own-processes.ts';
import { inRoom, type Program, roomOf } from './own-room.ts';
import type { MachinePaths } from './paths.ts';
import { quoted } from './quoted.ts';

/** Writes `start`: the machine on its own disks, by QEMU alone. */
export async function writeStartScript(
	definition: MachineDefinition,
	paths: MachinePaths,
	host: QemuHost,
): Promise<void> {
	const acceleration = await accelerationOf(definition, paths, host).catch(forcedKvm);
	const args = await startArguments(definition, paths, host, 'target', {
		acceleration,
		endsWithGuest: true,
		paused: false,
	});
	const uid = await host.users.of(definition, paths);
	const qemu = { command: host.systemBinary, args };
	const program = await inRoom(roomOf(uid, definition, paths), qemu, openingMacvtaps(definition));
	const taps = tapsOf(definition, uid ?? process.getuid?.() ?? 0);
	const reserved = await host.users.reservedFor(definition, paths);
	const script = startScript(definition, paths, program, { taps, reserved });
	await replaceFileDurably(paths.start, script, 0o700);
}

/** A KVM that is demanded and does not work is no reason to end without a script: it may be mended when that is used. */
function forcedKvm(thrown: unknown): Acceleration {
	const { code, message } = asRouseError(thrown);
	if (code !== 'precheck_failed') throw thrown;
	return { accelerator: 'kvm', enlightenments: false, reason: message, warnings: [] };
}

/** The lock is the one that Rouse's own start takes: the machine never runs twice. */
function startScript(
	definition: MachineDefinition,
	paths: MachinePaths,
	{ command, args }: Program,
	{ taps, reserved }: { taps: readonly Tap[]; reserved: ReservedUser | undefined },
): string {
	const machine = `env -i PATH="$PATH" LC_ALL=C flock -n -F ${quoted(paths.lock)} ${quoted(command)} ${pairs(args).join(' \\\n\t')}`;
	return `#!/bin/sh
# Starts the machine ${definition.machineName} in the foreground, without Rouse. It ends with the guest.
# Console: ${paths.sockets.console}   VNC: ${paths.sockets.vnc}   QMP: ${paths.sockets.qmp}
set -eu
umask 077
# Descriptors of whoever starts it would be the machine's as well.
exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
mkdir -p ${quoted(definition.runDirectory)}
if ! flock -n ${quoted(paths.lock)} true; then
	echo ${quoted(`${definition.machineName} runs already`)} >&2
	exit 75
fi
${reserved === undefined ? '' : refuseWhileRunning(reserved, definition)}${taps.length === 0 ? `exec ${machine}` : onNetworks(machine, taps, definition, paths)}
`;
}

/**
 * A QEMU that was taken over may have let go of the lock. Who it is cannot be told here from the machine of a copied
 * installation, which has the same user: nobody is ended. One that was ended a moment ago may take a while.
 */
function refuseWhileRunning({ uid }: ReservedUser, { machineName }: MachineDefinition): string {
	const ofUser = Array.from({ length: 4 }, (_none, at) => `$${at + 2}==${uid}`).join('||');
	const lives = `$1=="Pid:"{p=$2} $1=="State:"{z=$2~/[ZX]/} $1=="Uid:"{u=${ofUser}} $1=="Threads:"&&u&&!(z&&$2<2){print p}`;
	return `tries=0
while running=$(cat /proc/[0-9]*/status 2>/dev/null | awk ${quoted(lives)}) && [ -n "$running" ]; do
	tries=$((tries + 1))
	if [ "$tries" -gt 50 ]; then
		echo ${quoted(`${machineName} is not started: processes of user ${uid}, which is its own, run already:`)} $running >&2
		exit 75
	fi
	sleep 0.1
done
`;
}

/**
 * Between its taps being made and removed the machine is a child: a signal to the script is one to it. Taps are removed under
 * the lock, since by then somebody else may have started the machine again.
 */
function onNetworks(
	machine: string,
	taps: readonly Tap[],
	{ machineName, directory }: MachineDefinition,
	{ lock }: MachinePaths,
) {
	const names = taps.map(({ name }) => name);
	const networks = [...new Set(taps.map(targetOf))].join(', ');
	return `if [ "$(id -u)" != 0 ]; then
	echo ${quoted(`${machineName} is on a network of this host (${networks}): only root can start it`)} >&2
	exit 77
fi
# A copy of this installation makes taps of the same names; those stay.
remove_tap() {
	[ -e "/sys/class/net/$1/tun_flags" ] || [ -e "/sys/class/net/$1/macvtap" ] || return 0
	case "$(cat "/sys/class/net/$1/ifalias")" in
	'' | ${quoted(aliasOf(directory))}) flock -n ${quoted(lock)} ip link delete dev "$1" 2>/dev/null || : ;;
	esac
}
remove_taps() {
	${names.map(name => `remove_tap ${name}`).join('\n\t')}
}
remove_taps
for name in ${names.join(' ')}; do
	[ ! -e "/sys/class/net/$name" ] || {
		echo "$name is of another machine: $(cat "/sys/class/net/$name/ifalias")" >&2
		exit 75
	}
done
trap remove_taps EXIT
${taps.flatMap(tap => tapLines(tap)).join('\n')}
${machine} &
machine=$!
trap 'kill -TERM "$machine" 2>/dev/null || :' HUP INT TERM
ended=0
wait "$machine" || ended=$?
while kill -0 "$machine" 2>/dev/null; do
	ended=0
	wait "$machine" || ended=$?
done
exit "$ended"`;
}

function tapLines(tap: Tap): string[] {
	const mtu = `$(cat /sys/class/net/${tap.on}/mtu)`;
	return tapCommands(tap, mtu).map(words => words.map(word => (word === mtu ? `"${mtu}"` : quoted(word))).join(' '));
}

/** An option and its value on one line. */
function pairs(args: readonly string[]): string[] {
	const lines: string[] = [];
	for (const arg of args) {
		const last = lines.at(-1);
		if (arg.startsWith('-') || last === undefined) lines.push(quoted(arg));
		else lines[lines.length - 1] = `${last} ${quoted(arg)}`;
	}
	return lines;
}
