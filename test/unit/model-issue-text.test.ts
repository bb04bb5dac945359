import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { asRouseError } from '../../model/errors.ts';
import { issueText, refusalText } from '../../model/issue-text.ts';

function textOf(schema: z.ZodType, value: unknown): string | undefined {
	const issue = schema.safeParse(value).error?.issues[0];
	return issue && issueText(issue);
}

test('`issueText` says what is accepted instead', () => {
	assert.equal(textOf(z.number(), 'two'), 'must be a number, not a text');
	assert.equal(textOf(z.int(), 1.5), 'must be a whole number');
	assert.equal(textOf(z.string(), undefined), 'is missing: it must be a text');
	assert.equal(textOf(z.enum(['auto', 'kvm']), 'xen'), 'must be one of auto, kvm');
	assert.equal(textOf(z.literal(1), 2), 'must be 1');
	assert.equal(textOf(z.int().min(1), 0), 'must be at least 1');
	assert.equal(textOf(z.string().max(3), 'four'), 'must have at most 3 characters');
	assert.equal(textOf(z.array(z.int()).min(1), []), 'must have at least 1 entries');
	assert.match(textOf(z.union([z.number(), z.boolean()]), 'x') ?? '', /none of the forms/);
	assert.equal(textOf(z.uuid(), 'x'), 'must be a UUID');
	assert.equal(textOf(z.iso.datetime(), 'x'), 'must be a time, as 2026-11-20T03:00:00Z');
	assert.equal(textOf(z.string().regex(/^a/), 'b'), 'must be in another form');
	assert.equal(textOf(z.int().multipleOf(512), 5), 'must be a multiple of 512');
	assert.equal(textOf(z.number(), Number.NaN), 'must be a number, not NaN');
	assert.equal(textOf(z.strictObject({}), { cpu: 1 }), 'no such field is known here');
});

test("`issueText` keeps a schema's own words", () => {
	assert.equal(textOf(z.string().regex(/^a/, 'begins with a'), 'b'), 'begins with a');
	assert.equal(textOf(z.number('write a size'), 'b'), 'write a size');
});

test('`refusalText` begins with the way to the field, or with the key that is too many', () => {
	const schema = z.strictObject({ policy: z.strictObject({ maxRateBytes: z.int() }) });
	const refused = (value: unknown) => refusalText(schema.safeParse(value).error ?? { issues: [] });
	assert.equal(refused({ policy: { maxRateBytes: '5' } }), 'policy.maxRateBytes: must be a number, not a text');
	assert.equal(refused({ policy: { maxRateBytes: 5, fast: true } }), 'policy.fast: no such field is known here');
	assert.equal(refused('x'), 'must be a map, not a text');
});

test("`asRouseError` of a schema's error is in our words", () => {
	const { error } = z.object({ a: z.array(z.int()) }).safeParse({ a: [1, 'x'] });
	const { code, message } = asRouseError(error);
	assert.deepEqual([code, message], ['internal', 'a.1: must be a number, not a text']);
});
