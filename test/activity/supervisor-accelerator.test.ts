import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SupervisedHost } from '../equipment/supervised-host.ts';

test('`host.accelerator` of config.yaml is what the host runs guests with, as soon as it is written', async t => {
	const host = await SupervisedHost.create(t);
	await host.start();
	assert.match((await host.client.host()).accelerator, /^(kvm|tcg|mixed)$/);
	for (const accelerator of ['tcg', 'kvm']) {
		await writeFile(join(host.installation.home, 'config.yaml'), `host:\n  accelerator: ${accelerator}\n`);
		assert.equal((await host.client.host()).accelerator, accelerator);
	}
	await writeFile(join(host.installation.home, 'config.yaml'), 'host:\n  accelerator: fast\n');
	await assert.rejects(host.client.host(), { code: 'config_invalid', message: /accelerator/ });
});
