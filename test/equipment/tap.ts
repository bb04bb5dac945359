import { execFile } from 'node:child_process';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A network between this machine and one of QEMU: an internal switch of Hyper-V. Takes root; goes with the test. */
export interface Tap {
	name: string;
	/** This machine's, and the other's. */
	here: string;
	there: string;
	prefix: number;
}

/** Of the addresses for bench tests (RFC 2544), by the number of this process: several may run at once. */
export async function openTap(t: Pick<TestContext, 'after'>): Promise<Tap> {
	const name = `rouse${process.pid}`;
	const network = `198.18.${process.pid % 256}`;
	await run('ip', ['tuntap', 'add', 'dev', name, 'mode', 'tap']);
	t.after(() => run('ip', ['link', 'delete', name]));
	const tap = { name, here: `${network}.1`, there: `${network}.2`, prefix: 24 };
	await run('ip', ['address', 'add', `${tap.here}/${tap.prefix}`, 'dev', name]);
	await run('ip', ['link', 'set', name, 'up']);
	return tap;
}
