/** Where something is tried out: a directory that is gone afterwards, also when this process is killed meanwhile. */
import { lstat, mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processStartTicks } from '../../system/process-lock.ts';

/** Only this user enters it. Those that were left behind by processes of this user which died go first. */
export async function inTrialDirectory<T>(work: (directory: string) => Promise<T>, parent = tmpdir()): Promise<T> {
	const prefix = await ownPrefix();
	await removeLeft(parent, prefix);
	const ours = `${process.pid}-${await processStartTicks(process.pid)}`;
	const directory = await mkdtemp(join(parent, `${prefix}${ours}-`));
	try {
		return await work(directory);
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}

/** With the namespace whose numbers of processes are in the names: containers may have a directory in common. */
async function ownPrefix(): Promise<string> {
	const namespace = await readlink('/proc/self/ns/pid'); // pid:[4026531836]
	return `rouse-trial-${/\d+/.exec(namespace)?.[0]}-`;
}

async function removeLeft(parent: string, prefix: string): Promise<void> {
	for (const name of await readdir(parent)) {
		const [, pid, ticks] = new RegExp(`^${prefix}(\\d+)-(\\d+)-`).exec(name) ?? [];
		if (pid === undefined || (await processStartTicks(Number(pid))) === ticks) continue;
		const path = join(parent, name);
		const found = await lstat(path).catch(() => undefined); // somebody else was faster
		if (found?.isDirectory() && found.uid === process.getuid?.()) await rm(path, { recursive: true, force: true });
	}
}
