import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { addHostId, removeHostId } from '../../system/configured-hosts.ts';
import { loadConfig } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const id = '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d';
const otherId = '11111111-2222-4333-8444-555555555555';
const written = '# ours\nrepositories:\n  main: /backup # the large one\n';

it('`addHostId` and `removeHostId` leave the rest of config.yaml as it was', async t => {
	const home = await temporaryDirectory(t);
	const path = join(home, 'config.yaml');
	await writeFile(path, written);
	for (const _ of ['once', 'again']) await addHostId({ home }, 'hv1', id);
	assert.deepEqual((await loadConfig({ home })).hosts, { hv1: { id } });
	await assert.rejects(addHostId({ home }, 'hv1', otherId), { code: 'name_conflict' });
	await addHostId({ home }, 'hv2', otherId);
	await removeHostId({ home }, 'hv1');
	assert.deepEqual((await loadConfig({ home })).hosts, { hv2: { id: otherId } });
	for (const _ of ['once', 'again']) await removeHostId({ home }, 'hv2');
	assert.equal(await readFile(path, 'utf8'), written);
});
