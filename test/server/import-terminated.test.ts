/** An import whose workflow was ended by force: what it has left is told, and the next one takes it away. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { Faults } from '../../sources/simulated-machine/faults.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { startRouse } from '../equipment/command-line.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { makeSimulatedMachine } from '../equipment/import-installation.ts';

const standingSchema = z.looseObject({
	phase: z.string(),
	outcome: z.string().nullable(),
	warnings: z.array(z.string()),
});
const listSchema = z.object({ imports: z.array(z.looseObject({ repositoryId: z.string() })) });
const findingsSchema = z.looseObject({ findings: z.array(z.looseObject({ code: z.string(), subject: z.string() })) });

test('what an import has left that was ended by force is told by `doctor`, and taken away by the next one', async t => {
	const machine = await makeSimulatedMachine(join(await temporaryDirectory(t), 'machine'));
	const uri = JSON.stringify(`simulated://${encodeURI(machine.files.directory)}`);
	const here = await EmbeddedInstallation.up(t, `host: {kind: simulated}\nsources: {web: {uri: ${uri}}}`);
	const faults = new Faults(machine.files.faults);
	await faults.set([{ at: 'ready', does: 'pending', times: 1000 }]);
	const left = async () => {
		const { stdout } = await here.run('doctor');
		const { findings } = findingsSchema.parse(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''));
		return findings.filter(({ subject }) => subject === 'web').map(({ code }) => code);
	};
	await here.answer('backup', 'start', 'web');
	const waits = async () => standingSchema.parse(await here.answer('backup', 'status', 'web')).phase === 'waiting';
	await waitFor('its moment', waits, { timeoutMs: 60_000, everyMs: 200 });
	assert.deepEqual(await left(), [], 'it is under way');
	const [listed] = listSchema.parse(await here.answer('backup', 'status')).imports;
	const id = `import/${listed?.repositoryId}/web`;
	await startRouse(t, here.installation.home, ['temporal', 'cli', '--', 'workflow', 'terminate', '-w', id]).ended;
	await faults.set([]);
	assert.ok((await left()).includes('import_left_over'));
	const { outcome, warnings } = standingSchema.parse(await here.answer('backup', 'start', 'web', '--wait'));
	assert.deepEqual([outcome, warnings], ['imported', []]);
	assert.deepEqual(await left(), []);
});
