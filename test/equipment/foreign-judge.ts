/** Calls the reader and the writer of repositories in `foreign/`, which know no more of them than docs/format.md says. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { checkoutDirectory } from '../../system/checkout.ts';
import { testPython } from './test-python.ts';

const said = z.object({ key: z.string(), what: z.string() });
const judgement = z.object({
	counts: z.record(z.string(), z.number()),
	findings: z.array(said.extend({ code: z.string() })),
	/** What the format allows, and somebody may want to know. */
	notes: z.array(said),
	exports: z.array(z.object({ key: z.string(), disk: z.number(), sizeBytes: z.number(), sha256: z.string() })),
});
export type Judgement = z.infer<typeof judgement>;

export interface WantedDisk {
	machine: string;
	time: string;
	disk: number;
	/** Where it is exported to. */
	path: string;
}

/** Reads all of a repository, and exports disks of it. */
export async function judge(directory: string, disks: readonly WantedDisk[] = []): Promise<Judgement> {
	const wanted = disks.flatMap(({ machine, time, disk, path }) => ['--export', machine, time, String(disk), path]);
	return judgement.parse(await run(['judge', directory, ...wanted], [0, 9, 10]));
}

const writtenDisk = z.object({
	machine: z.string(),
	time: z.string(),
	disk: z.number(),
	sizeBytes: z.number(),
	sha256: z.string(),
	contentDigest: z.string(),
});
export type WrittenDisk = z.infer<typeof writtenDisk>;

/** Makes a repository in which most of what the format allows is there once. */
export async function writeForeign(directory: string): Promise<{ repositoryId: string; disks: WrittenDisk[] }> {
	const written = z.object({ repositoryId: z.string(), disks: z.array(writtenDisk) });
	return written.parse(await run(['write', directory], [0]));
}

/** Whether the reader finds crafted damage, and bits that flip. */
export async function checkJudge(directory: string): Promise<{ cases: number; flips: number; failed: string[] }> {
	const checked = z.object({ cases: z.number(), flips: z.number(), failed: z.array(z.string()) });
	return checked.parse(await run(['check', directory], [0, 9]));
}

async function run(args: readonly string[], codes: readonly number[]): Promise<unknown> {
	const child = spawn(await testPython(), ['-B', '-m', 'foreign', ...args], {
		cwd: join(checkoutDirectory, 'test', 'equipment'),
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
	assert.ok(codes.includes(z.number().parse(code)), `foreign ${args[0]} ended with ${code}: ${stderr}`);
	return JSON.parse(stdout);
}
