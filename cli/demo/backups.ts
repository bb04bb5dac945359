import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { bootImage } from './boot-image.ts';
import type { OwnCommand } from './own-command.ts';
import type { DemoReport } from './report.ts';

export const demoMachine = 'web01';

/** A disk of a gigabyte, about a third of it files of this machine's own /usr. */
export const demoGuest = { diskMiB: 1024, payloadMiB: 300 } as const;

export interface GuestOptions {
	/** Gets what the recipe says, a line each. */
	say: (line: string) => void;
	signal: AbortSignal;
	diskMiB: number;
	/** Of this machine's own files. */
	payloadMiB: number;
}

export async function buildGuest(image: string, { say, signal, ...size }: GuestOptions): Promise<void> {
	const recipe = join(checkoutDirectory, 'tools', 'guest', 'build');
	const args = ['--size', String(size.diskMiB), '--host-files', String(size.payloadMiB), image];
	const child = spawn(recipe, args, {
		stdio: ['ignore', 'ignore', 'pipe'],
		signal,
	});
	let said = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		said += text;
		for (const line of text.trimEnd().split('\n')) say(line);
	});
	const [exitCode] = await once(child, 'close');
	if (exitCode !== 0) throw new RouseError('tool_missing', `the guest cannot be built: ${said.trim()}`);
}

/** The machine lives on for a day: it boots from its own disk, writes some files and powers off. */
export async function workOnGuest(image: string, signal: AbortSignal): Promise<void> {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-'));
	try {
		const { console, ended, kill } = await bootImage(image, { directory, signal });
		try {
			await console.ready({ timeoutMs: 120_000, signal });
			await console.command('write 12 512', /^wrote 12$/, { timeoutMs: 120_000, signal });
			await console.command('poweroff', /^bye$/, { timeoutMs: 60_000, signal });
			await Promise.race([ended, once(AbortSignal.timeout(60_000), 'abort')]);
		} finally {
			console.close();
			await kill();
		}
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}

const importSchema = z.object({
	disks: z.array(z.object({ sizeBytes: z.number() })),
	newBytes: z.number(),
	storedBytes: z.number(),
	durationMs: z.number(),
});

export async function importBackup(
	rouse: OwnCommand,
	image: string,
	spec: string,
): Promise<DemoReport['imports'][number]> {
	const args = ['backup', 'import', image, '--machine', demoMachine, '--spec', spec];
	const { disks, newBytes, storedBytes, durationMs } = await rouse.run(importSchema, ...args);
	const sizeBytes = disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
	return { sizeBytes, newBytes, storedBytes, durationMs };
}

/** A file for the guest to read back: the largest one that an emulated machine reads in a few seconds. */
export async function chooseFileToRead(payload: string): Promise<{ path: string; content: Buffer }> {
	const most = 24 * 1024 * 1024;
	let chosen: { path: string; size: number } | undefined;
	for (const entry of await readdir(payload, { recursive: true, withFileTypes: true })) {
		if (!entry.isFile()) continue;
		const path = join(entry.parentPath, entry.name);
		const { size } = await stat(path);
		if (size <= most && size > (chosen?.size ?? 0)) chosen = { path, size };
	}
	if (!chosen) throw new RouseError('internal', `no file of at most ${most} bytes in ${payload}`);
	return { path: chosen.path, content: await readFile(chosen.path) };
}
