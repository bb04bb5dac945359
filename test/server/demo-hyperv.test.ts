import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { temporaryDirectory } from '../equipment/captive.ts';
import { startRouse } from '../equipment/command-line.ts';

const reportSchema = z.looseObject({
	windows: z.literal('simulated'),
	kills: z.array(z.looseObject({ name: z.string(), restoredBytesBefore: z.int(), restoredBytesAfter: z.int() })),
	switchPauseMs: z.number().positive(),
	writtenBlocks: z.int().positive(),
	reads: z.int().positive(),
});

test('`demo --hyperv`: a machine on a simulated Hyper-V host loses movers, supervisor and worker, and not a byte', async t => {
	const demo = startRouse(t, await temporaryDirectory(t), ['demo', '--hyperv', '--json']);
	const { exitCode, stdout, stderr } = await demo.ended;
	assert.equal(exitCode, 0, stderr);
	const report = reportSchema.parse(JSON.parse(stdout));
	assert.deepEqual(
		report.kills.map(kill => kill.name),
		['host-worker', 'mount-mover', 'migration-mover', 'repository-mover', 'supervisor'],
	);
	assert.ok(report.kills.every(kill => kill.restoredBytesAfter > kill.restoredBytesBefore));
});
