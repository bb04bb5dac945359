/** The demonstration's guest as somebody's own machine, which goes on writing while it is backed up. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as z from 'zod';
import { GuestConsole } from '../../cli/demo/console.ts';
import { EmbeddedInstallation, shownSchema } from './embedded-installation.ts';

const run = promisify(execFile);
const build = fileURLToPath(new URL('../../tools/guest/build', import.meta.url));
const soon = { timeoutMs: 120_000 };
const importedSchema = z.looseObject({
	outcome: z.literal('imported'),
	consistency: z.literal('crash'),
	disks: z.array(z.looseObject({ reads: z.enum(['changes', 'all']) })),
	warnings: z.array(z.string()),
});

/** A qcow2 image of it. */
export async function guestImage(directory: string): Promise<string> {
	const [raw = '', image = ''] = ['guest.raw', 'guest.qcow2'].map(name => join(directory, name));
	await run(build, ['--size', '256', raw]);
	await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, image]);
	return image;
}

async function filesOf(console: GuestConsole): Promise<number> {
	const [, files] = await console.command('count', /^count (\d+)$/, soon);
	return Number(files);
}

/** By commands: it is backed up thrice, and its recovery has all that it had written before the third. */
export async function mustRecoverLive(
	t: TestContext,
	{ uri, live }: { uri: string; live: GuestConsole },
): Promise<void> {
	const here = await EmbeddedInstallation.up(t, `sources: ${JSON.stringify({ web01: { uri } })}\n`);
	await live.ready(soon);
	await live.command('start', /^started$/, soon);
	const reads: (string | undefined)[] = [];
	let written = 0;
	for (let round = 0; round < 3; round++) {
		const before = written;
		do written = await filesOf(live);
		while (written < before + 8);
		const imported = importedSchema.parse(await here.answer('backup', 'start', 'web01', '--wait'));
		assert.deepEqual(imported.warnings, []);
		reads.push(imported.disks[0]?.reads);
	}
	assert.deepEqual(reads, ['all', 'changes', 'changes']);
	const more = await filesOf(live);
	assert.ok(more > written, 'the live machine has gone on');
	const running = shownSchema.parse(await here.answer('recover', 'start', 'web01@latest', '--reason', 'test'));
	const recovered = await GuestConsole.open(running.consoleSocket ?? '');
	try {
		await recovered.ready(soon);
		const [, ok, bad] = await recovered.command('verify', /^ok (\d+) bad (\d+)$/, soon);
		assert.equal(bad, '0');
		assert.ok(Number(ok) >= written, `${ok} of ${written} files`);
	} finally {
		recovered.close();
	}
}
