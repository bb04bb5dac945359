import { asRouseError } from '../../model/errors.ts';
import { replaceFileDurably } from '../../system/durable-file.ts';
import { type Tap, tapCommands } from '../../system/taps.ts';
import type { MachineDefinition } from '../contract.ts';
import type { Acceleration } from './acceleration.ts';
import { tapsOf } from './bridge-network.ts';
import type { QemuHost } from './host.ts';
import { accelerationOf, startArguments } from './launch.ts';
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
	const program = await inRoom(roomOf(uid, definition, paths), { command: host.systemBinary, args });
	const script = startScript(definition, paths, program, tapsOf(definition, uid ?? process.getuid?.() ?? 0));
	await replaceFileDurably(paths.start, script, 0o700);
}

/** A KVM that is demanded and does not work is no reason to end without a script: it may be mended when that is used. */
function forcedKvm(thrown: unknown): Acceleration {
	const { code, message } = asRouseError(thrown);
	if (code !== 'precheck_failed') throw thrown;
	return { accelerator: 'kvm', enlightenments: false, reason: message, warnings: [] };
}

/** The lock is the one that Rouse's own start takes: the machine never runs twice. */
export function startScript(
	definition: MachineDefinition,
	paths: MachinePaths,
	{ command, args }: Program,
	taps: readonly Tap[],
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
${taps.length === 0 ? `exec ${machine}` : onBridges(machine, taps, definition, paths)}
`;
}

/**
 * Between its taps being made and removed the machine is a child: a signal to the script is one to it. Taps are removed under
 * the lock, since by then somebody else may have started the machine again.
 */
function onBridges(machine: string, taps: readonly Tap[], { machineName }: MachineDefinition, { lock }: MachinePaths) {
	const remove = taps.map(({ name }) => `flock -n ${quoted(lock)} ip link delete dev ${name} 2>/dev/null || :`);
	const bridges = [...new Set(taps.map(({ bridge }) => bridge))].join(', ');
	return `if [ "$(id -u)" != 0 ]; then
	echo ${quoted(`${machineName} is on a bridge of this host (${bridges}): only root can start it`)} >&2
	exit 77
fi
remove_taps() {
	${remove.join('\n\t')}
}
remove_taps
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
	const mtu = `$(cat /sys/class/net/${tap.bridge}/mtu)`;
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
