import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { buildAppliance } from '../../appliance/build.ts';
import { cacheDirectory } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { orderAppliance } from '../equipment/appliance-order.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { iscsiReader } from '../equipment/iscsi-reader.ts';
import { freePort } from '../../system/free-port.ts';

const run = promisify(execFile);
/** As in-appliance/target.ts has them. */
const iqn = 'iqn.2026-11.example.rouse:web01-r1';
const secret = 'abcdefgh23456789';
const cold = 4 * 1024 ** 3;

test('`startTarget` in the appliance: reads that wait hold up no others, a server that dies fails none, `stopTarget` waits for none', async t => {
	const { vhdxPath } = await buildAppliance({ cacheDirectory: cacheDirectory() });
	const directory = join(await temporaryDirectory(t), 'machine');
	const ports = { iscsi: await freePort(), orders: await freePort() };
	const { order, iscsiPort } = await orderAppliance(t, { vhdxPath, directory, ports });
	const portal = `127.0.0.1:${iscsiPort}`;
	await order('start');
	await order('start');
	assert.equal(await order('runs'), 'true');
	await assert.rejects(
		run('iscsi-inq', [`iscsi://rouse%${'x'.repeat(16)}@${portal}/${iqn}/1`]),
		/Authentication failure/,
	);
	const inquiry = await run('iscsi-readcapacity16', [`iscsi://rouse%${secret}@${portal}/${iqn}/1`]);
	assert.match(inquiry.stdout, /BLOCK LENGTH IN BYTES:512\b/);

	const reader = await iscsiReader(t, { portal, iqn, lun: 1, secret });
	for (let one = 0; one < 40; one++) await reader.begin(cold + one * 65_536);
	await waitFor('40 reads to wait', async () => (await order('held')) === '40', { timeoutMs: 60_000, everyMs: 100 });
	for (let one = 0; one < 20; one++) await reader.read(one * 1024 ** 2);
	assert.equal(await order('held'), '40');

	await order('kill');
	const across = reader.read(4096);
	await order('serve');
	await across;
	await waitFor('what waited to be asked again', async () => (await order('held')) === '40', {
		timeoutMs: 60_000,
		everyMs: 200,
	});
	assert.equal(await order('runs'), 'true');

	await order('orphan');
	assert.equal(await order('runs'), 'false');
	await order('start');
	await order('kill');
	const again = reader.read(8192);
	await order('serve');
	await again;

	await order('kill');
	assert.equal(await order('stop'), '[]');
	assert.equal(await order('runs'), 'false');
});
