import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { waitFor } from '../../system/wait.ts';
import { captive, temporaryDirectory } from './captive.ts';

const run = promisify(execFile);

export interface FuseFiles {
	/** The export as a file. */
	whole: string;
	/** A part of it as a file that is written too. */
	part: string;
	/** Ends the process; the files are then as they were made: empty. */
	end: () => Promise<void>;
}

/**
 * An NBD export as files, for programs that open files: qemu-storage-daemon, whose client comes back when the server was
 * away for less than a minute. Takes root, or FUSE for users.
 */
export async function fuseFiles(
	t: Pick<TestContext, 'after'>,
	{
		socket,
		exportName,
		part,
	}: { socket: string; exportName: string; part: { offsetBytes: number; sizeBytes: number } },
): Promise<FuseFiles> {
	let mounted: string[] = [];
	const unmountAll = async () => {
		for (const path of mounted) if (await isMounted(path)) await run('umount', ['--lazy', path]);
	};
	const directory = await temporaryDirectory(t, unmountAll);
	mounted = [join(directory, 'whole'), join(directory, 'part')];
	const [whole = '', ofPart = ''] = mounted;
	for (const path of mounted) await writeFile(path, '');
	const client = `driver=nbd,node-name=nbd,server.type=unix,server.path=${socket},export=${exportName},reconnect-delay=60`;
	const offset = `driver=raw,node-name=part,file=nbd,offset=${part.offsetBytes},size=${part.sizeBytes}`;
	const ofWhole = `type=fuse,id=whole,node-name=nbd,mountpoint=${whole},allow-other=off`;
	const writable = `type=fuse,id=part,node-name=part,mountpoint=${ofPart},allow-other=off,writable=on`;
	const daemon = captive(t, 'qemu-storage-daemon', [
		'--blockdev',
		client,
		'--blockdev',
		offset,
		'--export',
		ofWhole,
		'--export',
		writable,
	]);
	await waitFor(
		'qemu-storage-daemon to show its files',
		async () => {
			if (daemon.child.exitCode !== null) throw new Error(daemon.said());
			return (await isMounted(whole)) && (await isMounted(ofPart));
		},
		{ timeoutMs: 20_000 },
	);
	return { whole, part: ofPart, end: () => daemon.end() };
}

async function isMounted(path: string): Promise<boolean> {
	return (await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${path} `);
}
