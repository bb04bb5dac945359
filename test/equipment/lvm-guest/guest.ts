/** A machine of Debian in QEMU with its root on LVM over two disks, reached over SSH: made on the spot, with apt's mirrors in reach. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GuestConsole } from '../../../cli/demo/console.ts';
import { knownHostLine } from '../../../hypervisors/hyperv/host-setup/names.ts';
import { freePort } from '../../../system/free-port.ts';
import type { SshDestination } from '../../../system/ssh-destination.ts';
import { waitFor } from '../../../system/wait.ts';
import { type Captive, captive } from '../captive.ts';

const run = promisify(execFile);
const build = fileURLToPath(new URL('build', import.meta.url));
/** Emulation on a busy machine is slow: it says that something hangs, not that it is slow. */
const boots = { timeoutMs: 600_000 };

export interface LvmGuest {
	/** Straight to it. */
	destination: SshDestination;
	/** The agent of tools/guest, which is ready. */
	console: GuestConsole;
	machine: Captive;
	/** Its own, as a line of known_hosts has it behind the host. */
	hostKey: string;
}

export async function lvmGuest(t: Pick<TestContext, 'after'>, directory: string): Promise<LvmGuest> {
	const at = (name: string) => join(directory, name);
	await run(build, [directory]);
	const port = await freePort('127.0.0.1');
	const drives = ['vda', 'vdb'].flatMap(name => [
		'-drive',
		`if=none,id=${name},format=raw,cache=unsafe,discard=unmap,file=${at(`${name}.raw`)}`,
		'-device',
		`virtio-blk-pci,drive=${name},serial=disk-${name}`,
	]);
	const machine = captive(t, 'qemu-system-x86_64', [
		// The emulator does the moves that these flags make the guest use a byte at a time.
		...'-machine q35 -accel tcg,thread=multi -cpu max,erms=off,fsrm=off -smp 2 -m 768 -nodefaults -display none'.split(
			' ',
		),
		'-chardev',
		`socket,id=console,path=${at('console.sock')},server=on,wait=off,logfile=${at('console.log')}`,
		'-device',
		'isa-serial,chardev=console',
		'-netdev',
		`user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:22`,
		'-device',
		'virtio-net-pci,netdev=net0',
		...drives,
	]);
	const opened = async () => {
		if (machine.child.exitCode !== null) throw new Error(`QEMU ended: ${machine.said()}`);
		return await GuestConsole.open(at('console.sock')).catch(() => undefined);
	};
	const console = await waitFor('QEMU to open its console', opened, { timeoutMs: 20_000 });
	t.after(() => console.close());
	await console.waitFor(/ROUSE-GUEST READY$|GUEST FAILED$/, boots);
	const hostKey = (await readFile(at('host-key.pub'), 'utf8')).trim();
	await writeFile(at('known_hosts'), `${knownHostLine('127.0.0.1', port, hostKey)}\n`);
	const identityPath = at('client-key');
	const destination = { host: '127.0.0.1', port, user: 'root', identityPath, knownHostsPath: at('known_hosts') };
	return { destination, console, machine, hostKey };
}
