import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { issueText } from '../../model/issue-text.ts';

function textOf(schema: z.ZodType, value: unknown): string | undefined {
	const issue = schema.safeParse(value).error?.issues[0];
	return issue && issueText(issue);
}

test('`issueText` says what is accepted instead', () => {
	assert.equal(textOf(z.number(), 'two'), 'must be a number, not a text');
	assert.equal(textOf(z.int(), 1.5), 'must be a whole number, not a number');
	assert.equal(textOf(z.string(), undefined), 'is missing: it must be a text');
	assert.equal(textOf(z.enum(['auto', 'kvm']), 'xen'), 'must be one of auto, kvm');
	assert.equal(textOf(z.literal(1), 2), 'must be 1');
	assert.equal(textOf(z.int().min(1), 0), 'must be 1 or more');
	assert.equal(textOf(z.string().max(3), 'four'), 'must have 3 or less characters');
	assert.equal(textOf(z.array(z.int()).min(1), []), 'must have 1 or more entries');
	assert.match(textOf(z.union([z.number(), z.boolean()]), 'x') ?? '', /none of the forms/);
	assert.equal(textOf(z.strictObject({}), { cpu: 1 }), 'no such field is known here');
});

test("`issueText` keeps a schema's own words", () => {
	assert.equal(textOf(z.string().regex(/^a/, 'begins with a'), 'b'), 'begins with a');
	assert.equal(textOf(z.number('write a size'), 'b'), 'write a size');
});
