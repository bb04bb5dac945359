import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentAmong } from '../../keeper/served-answers.ts';
import type { ServedName } from '../../keeper/services.ts';
import { RouseError } from '../../model/errors.ts';

const names: ServedName[] = ['host-door', 'repo-serve-main', 'repo-serve-old'];
const silentOf = (...quiet: ServedName[]) =>
	silentAmong(
		names.map(name => ({ name })),
		{
			answers: async ({ name }) => !quiet.includes(name),
			explain: async ({ name }) => new RouseError('precheck_failed', `${name} is away`),
		},
	);

test('`silentAmong` tells of repositories that do not answer, and fails for the door to Temporal alone', async () => {
	assert.deepEqual(await silentOf(), []);
	assert.deepEqual(await silentOf('repo-serve-main'), ['repo-serve-main is away']);
	await assert.rejects(silentOf('host-door', 'repo-serve-main'), { code: 'precheck_failed', message: /^host-door/ });
});
