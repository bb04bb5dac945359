import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { temporaryDirectory } from '../equipment/captive.ts';
import { startRouse } from '../equipment/command-line.ts';

const reportSchema = z.looseObject({
	imports: z.array(z.looseObject({ newBytes: z.int() })).length(2),
	kills: z.array(z.looseObject({ name: z.string(), restoredBytesBefore: z.int(), restoredBytesAfter: z.int() })),
	switchPauseMs: z.number(),
	guestVerified: z.int(),
	disk: z.looseObject({ guestFiles: z.int(), payloadFiles: z.int() }),
});

test('a real guest is backed up, woken, loses every process under it once, and loses nothing', async t => {
	const demo = startRouse(t, await temporaryDirectory(t), ['demo', '--json']);
	const { exitCode, stdout, stderr } = await demo.ended;
	assert.equal(exitCode, 0, stderr);
	const report = reportSchema.parse(JSON.parse(stdout));
	const [first, second] = report.imports;
	assert.ok(first && second && second.newBytes * 10 < first.newBytes, 'the second backup stores what changed');
	assert.deepEqual(
		report.kills.map(kill => kill.name),
		[
			'host-worker',
			'mount-mover',
			'migration-mover',
			'repository-mover',
			'control-worker',
			'supervisor',
			'temporal-door',
			'temporal-forwarder',
			'temporal',
		],
	);
	assert.ok(report.kills.every(kill => kill.restoredBytesAfter > kill.restoredBytesBefore));
	assert.ok(report.guestVerified > 0 && report.disk.guestFiles >= report.guestVerified);
	assert.ok(report.disk.payloadFiles > 100);
});
