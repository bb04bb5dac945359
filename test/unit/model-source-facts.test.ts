import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineConsistency, readSourceFacts } from '../../model/source-facts.ts';
import { smallJsonSchema } from '../../model/small-json.ts';
import { sampleSourceFacts as facts } from '../equipment/sample-source-facts.ts';

test('`readSourceFacts` passes over what a later version knows more', () => {
	const [disk] = facts.disks;
	const later = {
		...facts,
		mood: 'good',
		disks: [{ ...disk, colour: 'red' }],
		leftOut: [{ what: 'a', why: 'b', who: 'c' }],
	};
	const told = readSourceFacts({ source: later, others: 1 });
	assert.deepEqual(told, { ...facts, leftOut: [{ what: 'a', why: 'b' }] });
});

test('`readSourceFacts` of what it does not understand is no facts, and no error', () => {
	const [disk] = facts.disks;
	const others: unknown[] = [
		undefined,
		null,
		'text',
		[],
		{ ...facts, consistency: 'perfect' },
		{ ...facts, disks: [] },
		{ ...facts, disks: [disk, disk] },
		{ ...facts, identity: 'a\nb' },
		{ ...facts, checkpoint: 'x'.repeat(17_000) },
	];
	for (const source of others) assert.equal(readSourceFacts({ source }), undefined, JSON.stringify(source));
	assert.equal(readSourceFacts({}), undefined);
});

test("a machine's consistency is its weakest disk's, and none when its disks are of several times", () => {
	const disks = [{ consistency: 'application' as const }, { consistency: 'crash' as const }];
	assert.equal(machineConsistency(disks, true), 'crash');
	assert.equal(machineConsistency(disks, false), 'none');
	assert.equal(machineConsistency(disks.slice(0, 1), false), 'application');
});

test('`smallJsonSchema` takes ids and numbers, and neither long texts nor long lists', () => {
	const schema = smallJsonSchema(4096);
	const accepts = (value: unknown) => schema.safeParse(value).success;
	assert.ok(accepts({ set: 'abc', numbers: [1, 2], of: { deep: { er: null } } }));
	assert.ok(!accepts({ token: 'x'.repeat(201) }));
	assert.ok(!accepts({ lines: 'a\nb' }));
	assert.ok(!accepts(Array.from({ length: 257 }, () => 0)));
	assert.ok(!accepts(Array.from({ length: 200 }, () => 'x'.repeat(30))));
	assert.ok(!accepts({ a: { b: { c: { d: { e: 1 } } } } }));
	assert.ok(!accepts({ a: undefined }));
});
