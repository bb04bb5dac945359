import type { MachineDefinition } from '../contract.ts';
import { asRouseError } from '../../model/errors.ts';
import { replaceFileDurably } from '../../system/durable-file.ts';
import type { Acceleration } from './acceleration.ts';
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
	const room = roomOf(await host.users.of(definition, paths), definition, paths);
	const program = await inRoom(room, { command: host.systemBinary, args });
	await replaceFileDurably(paths.start, startScript(definition, paths, program), 0o700);
}

/** A KVM that is demanded and does not work is no reason to end without a script: it may be mended when that is used. */
function forcedKvm(thrown: unknown): Acceleration {
	const { code, message } = asRouseError(thrown);
	if (code !== 'precheck_failed') throw thrown;
	return { accelerator: 'kvm', enlightenments: false, reason: message, warnings: [] };
}

/** The lock is the one that Rouse's own start takes: the machine never runs twice. */
export function startScript(definition: MachineDefinition, paths: MachinePaths, { command, args }: Program): string {
	return `#!/bin/sh
# Starts the machine ${definition.machineName} in the foreground, without Rouse. It ends with the guest.
# Console: ${paths.sockets.console}   VNC: ${paths.sockets.vnc}   QMP: ${paths.sockets.qmp}
set -eu
umask 077
mkdir -p ${quoted(definition.runDirectory)}
if ! flock -n ${quoted(paths.lock)} true; then
	echo ${quoted(`${definition.machineName} runs already`)} >&2
	exit 75
fi
exec env -i PATH="$PATH" LC_ALL=C flock -n -F ${quoted(paths.lock)} ${quoted(command)} ${pairs(args).join(' \\\n\t')}
`;
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
