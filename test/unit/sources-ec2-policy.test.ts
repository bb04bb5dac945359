import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { tagNames } from '../../sources/ec2/marks.ts';
import { checkoutDirectory } from '../../system/checkout.ts';

const oneOrMore = z.union([z.string().transform(one => [one]), z.array(z.string())]);
const policySchema = z.object({
	Version: z.literal('2012-10-17'),
	Statement: z.array(z.object({ Sid: z.string(), Effect: z.literal('Allow'), Action: oneOrMore, Resource: oneOrMore })),
});

test('the policy of docs/sources.md allows the calls that are made of AWS, what goes with them, and nothing else', async () => {
	const page = await readFile(join(checkoutDirectory, 'docs', 'sources.md'), 'utf8');
	const text = /```json\n(.*?)```/s.exec(page)?.[1] ?? '';
	const { Statement } = policySchema.parse(JSON.parse(text));
	const code = await readFile(join(checkoutDirectory, 'sources', 'ec2', 'aws', 'cloud.ts'), 'utf8');
	const called = [...code.matchAll(/'((?:ec2|ebs):\w+)'/g)].map(found => found[1] ?? '');
	assert.ok(called.length >= 9);
	// What a call says that it needs is what it does.
	assert.deepEqual(
		[...code.matchAll(/new sdk\.(ec2|ebs)\.(\w+)Command\(/g)].map(([, api, name]) => `${api}:${name}`).toSorted(),
		[...new Set(called)].toSorted(),
	);
	assert.deepEqual(
		[...new Set(Statement.flatMap(({ Action }) => Action))].toSorted(),
		[...new Set([...called, 'ec2:CreateTags', 'kms:Decrypt'])].toSorted(),
	);
	for (const name of [tagNames.tag, tagNames.owner]) assert.ok(text.includes(`/${name}"`), `it does not know ${name}`);
	for (const { Action, Resource, Sid } of Statement)
		if (Resource.includes('*'))
			assert.ok(
				Action.every(action => action.startsWith('ec2:Describe')),
				Sid,
			);
});
