import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { temporaryDirectory } from '../equipment/captive.ts';
import { startRouse } from '../equipment/command-line.ts';

const reportSchema = z.looseObject({
	simulatedMachines: z.literal(12),
	groups: z.array(z.looseObject({ name: z.string(), machines: z.int() })),
	waited: z.looseObject({ for: z.string() }),
	kill: z.looseObject({ name: z.literal('host-worker'), pid: z.int(), newPid: z.int() }),
	places: z.array(z.looseObject({ host: z.string(), places: z.int(), most: z.int() })),
	guestVerified: z.int().positive(),
	discarded: z.int().positive(),
	removed: z.int(),
});

test('`demo --batch`: a site comes back in order over two hosts, its real guest answers, and nothing stays', async t => {
	const demo = startRouse(t, await temporaryDirectory(t), ['demo', '--batch', '--json']);
	const { exitCode, stdout, stderr } = await demo.ended;
	assert.equal(exitCode, 0, stderr);
	const report = reportSchema.parse(JSON.parse(stdout));
	assert.deepEqual(
		report.groups.map(({ name, machines }) => [name, machines]),
		[
			['databases', 3],
			['applications', 7],
			['web', 3],
		],
	);
	assert.match(report.waited.for, /^host\/sim1\/recoveries: /);
	assert.notEqual(report.kill.newPid, report.kill.pid);
	const places = new Map(report.places.map(one => [one.host, one]));
	assert.equal(places.get('sim1')?.most, 4, 'it was full, and no more than that');
	assert.ok((places.get('qemu1')?.most ?? 0) <= (places.get('qemu1')?.places ?? 0));
	assert.equal(report.discarded + report.removed, 13);
});
