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
	const hostNamed = async (computerName: string) => {
		const sample = await sampleHost(t, { settings: { computerName } });
		return { sample, driver: inProcessDriver(() => sample.host, driverError) };
	};
	const [{ sample, driver }, other] = [await hostNamed('HV1'), await hostNamed('HV2')];
	const chosen = async (on = driver, config: { overlay?: 'child' } = {}) => await overlayOfHost(config, home, on, {});
	assert.deepEqual(await chosen(), { overlay: 'child' });
	await recordOverlay(home, 'checkpoint', driver);
	assert.deepEqual(await chosen(), { overlay: 'checkpoint' });
	assert.deepEqual(await chosen(driver, { overlay: 'child' }), { overlay: 'child' });
	const elsewhere = await chosen(other.driver);
	assert.equal(elsewhere.overlay, 'child');
	assert.match(elsewhere.warning ?? '', /on HV1 .* this is HV2 .* rouse host selftest/);
	sample.host.faults.change({ updateRevision: 2762 });
	const updated = await chosen();
	assert.equal(updated.overlay, 'child');
	assert.match(updated.warning ?? '', /10\.0\.20348\.2700 .* this is HV1 .*10\.0\.20348\.2762 .* rouse host selftest/);
	await recordOverlay(home, 'checkpoint', driver);
	assert.deepEqual(await chosen(), { overlay: 'checkpoint' });
	await recordOverlay(home, 'child', driver);
	assert.deepEqual(await chosen(), { overlay: 'child' });
	await writeFile(places.hypervOverlay(home), '{');
	await assert.rejects(chosen(), { code: 'format_damaged' });
});
