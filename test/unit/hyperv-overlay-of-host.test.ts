import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { overlayOfHost, recordOverlay } from '../../hypervisors/hyperv/overlay-of-host.ts';
import { places } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { sampleHost } from '../equipment/windows-host.ts';
import { driverError } from '../../hypervisors/hyperv/driver/errors.ts';
import { inProcessDriver } from '../../hypervisors/hyperv/simulator/in-process-driver.ts';

test('`overlayOfHost` is `checkpoint` on the host where a self test has found it, and where nothing forbids it', async t => {
	const home = await temporaryDirectory(t);
	await mkdir(join(home, 'host'));
	const host = async (computerName: string) => {
		const sample = await sampleHost(t, { settings: { computerName } });
		return inProcessDriver(() => sample.host, driverError);
	};
	const [driver, other] = [await host('HV1'), await host('HV2')];
	assert.equal(await overlayOfHost({}, home, driver, {}), 'child');
	await recordOverlay(home, 'checkpoint', driver);
	assert.equal(await overlayOfHost({}, home, driver, {}), 'checkpoint');
	assert.equal(await overlayOfHost({ overlay: 'child' }, home, driver, {}), 'child');
	assert.equal(await overlayOfHost({}, home, other, {}), 'child');
	await recordOverlay(home, 'child', driver);
	assert.equal(await overlayOfHost({}, home, driver, {}), 'child');
	await writeFile(places.hypervOverlay(home), '{');
	await assert.rejects(overlayOfHost({}, home, driver, {}), { code: 'format_damaged' });
});
