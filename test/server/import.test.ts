/** A backup from a source by commands alone: real keeper, workers and Temporal server; nothing that Temporal keeps has its secret. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { blockBytes as block } from '../../sources/simulated-machine/bitmaps.ts';
import { Faults } from '../../sources/simulated-machine/faults.ts';
import { places } from '../../system/installation.ts';
import { startRouse } from '../equipment/command-line.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { makeSimulatedMachine, secret } from '../equipment/import-installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { noise } from '../equipment/repositories.ts';

const answerSchema = z.looseObject({
	outcome: z.enum(['imported', 'failed']).nullable(),
	restorePoint: z.string().nullable(),
	disks: z.array(z.looseObject({ reads: z.enum(['changes', 'all']) })),
	warnings: z.array(z.string()),
});
const planSchema = z.looseObject({ base: z.string().nullable(), assumed: z.array(z.string()) });
const listSchema = z.object({ imports: z.array(z.looseObject({ machine: z.string(), source: z.string() })) });

test('a machine is backed up by its source, then what has changed, and no history has the secret of its platform', async t => {
	const directory = await temporaryDirectory(t);
	const machine = await makeSimulatedMachine(join(directory, 'machine'));
	const credential = join(directory, 'credential');
	await writeFile(credential, `${secret}\n`, { mode: 0o600 });
	const uri = JSON.stringify(`simulated://${encodeURI(machine.files.directory)}`);
	const config = [
		'host: {kind: simulated}',
		`credentials: {platform: {file: ${JSON.stringify(credential)}}}`,
		`sources: {web: {uri: ${uri}, credential: platform, machine: web01}}`,
	].join('\n');
	const here = await EmbeddedInstallation.up(t, config);

	const faults = new Faults(machine.files.faults);
	await faults.set([
		{ at: 'begin', does: 'tell-secret' },
		{ at: 'read', does: 'tell-secret' },
	]);
	const first = answerSchema.parse(await here.answer('backup', 'start', 'web', '--wait', '--reason', 'first'));
	assert.deepEqual([first.outcome, first.warnings], ['imported', []]);

	await machine.write('disk-0', 5 * block, noise(block, 3));
	const plan = planSchema.parse(await here.answer('backup', 'plan', 'web'));
	assert.equal(plan.base, first.restorePoint);
	const second = answerSchema.parse(await here.answer('backup', 'start', 'web', '--wait'));
	assert.ok(second.disks.every(({ reads }) => reads === 'changes'));
	const [listed] = listSchema.parse(await here.answer('backup', 'status')).imports;
	assert.deepEqual([listed?.machine, listed?.source], ['web01', 'web']);

	await faults.set([
		{ at: 'ready', does: 'tell-secret' },
		{ at: 'read', does: 'moment_lost' },
	]);
	await machine.write('disk-0', 6 * block, noise(block, 4));
	const failed = await here.run('backup', 'start', 'web', '--wait');
	assert.equal(failed.exitCode, 1, failed.stderr);
	assert.equal((await here.refusal('backup', 'cancel', 'web')).code, 'phase_wrong');

	const { id } = z.looseObject({ id: z.uuid() }).parse(await here.answer('repo', 'verify'));
	const show = ['workflow', 'show', '-w', `import/${id}/web01`, '--output', 'json'];
	const { stdout: history } = await startRouse(t, here.installation.home, ['temporal', 'cli', '--', ...show]).ended;
	const payloads = [...history.matchAll(/"data": "([^"]*)"/g)].map(([, data]) =>
		Buffer.from(data ?? '', 'base64').toString('latin1'),
	);
	assert.ok(payloads.length > 8);
	const kept = places.temporal(here.installation.home);
	const files = (await readdir(kept)).filter(name => name.startsWith('temporal.db'));
	const databases = await Promise.all(files.map(name => readFile(join(kept, name), 'latin1')));
	for (const texts of [[history], databases])
		assert.ok(
			texts.some(text => text.includes('key=[secret]')),
			'it was told',
		);
	for (const text of [history, ...payloads, ...databases]) assert.ok(!text.includes(secret));
});
