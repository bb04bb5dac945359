/** A host whose repository and Temporal are on another machine: two installations, of which each has what the other has not. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connectTemporal } from '../../client/connection.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { makeRequest } from '../../client/requests.ts';
import { servedAddresses } from '../../keeper/served-addresses.ts';
import { directAccess } from '../../repository/access/direct.ts';
import { Grants } from '../../repository/service/grants.ts';
import { admitHost } from '../../repository/service/service-keys.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { addHostId } from '../../system/configured-hosts.ts';
import { loadConfig } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { recoveryWorkflowId } from '../../workflows/contracts.ts';
import { captive } from '../equipment/captive.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';
import { fastDirectory } from '../equipment/simulated-bench.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';
import { freePort } from '../../system/free-port.ts';

const address = '127.0.0.2';
const worker = fileURLToPath(new URL('../../workers/main.ts', import.meta.url));

test('a recovery on a host without a repository, planned and pinned where that is, reads it by its service', async t => {
	const [door, port] = [await freePort(), await freePort()];
	const serve = `serve: {address: ${address}, temporal: ${door}, repositories: {main: ${port}}}`;
	const control = await EmbeddedInstallation.up(t, `host: {name: control, kind: simulated}\n${serve}\n`, fastDirectory);
	const { installation, repository } = control;
	const [point] = await storePoints(repository);
	const addresses = await servedAddresses(installation, await loadConfig(installation));
	assert.ok(point && addresses?.temporal);

	const host = await SupervisedHost.create(t);
	const { home } = host.installation;
	const keys = await admitHost(installation.home, 'hv1', join(home, 'keys'), ['repositories', 'temporal']);
	const config = {
		host: { name: 'hv1', kind: 'simulated' },
		repositoriesElsewhere: { main: { directory: repository, host: address, port, ...keys } },
		temporal: { ...addresses.temporal, tls: { ...keys, serverName: addresses.serverName } },
	};
	await writeFile(join(home, 'config.yaml'), JSON.stringify(config));
	// As in an appliance: the door for hosts lets a host worker in, and nobody else.
	await host.start();
	await addHostId(installation, 'hv1', (await host.client.host()).hostId);
	captive(t, 'env', [`ROUSE_HOME=${home}`, process.execPath, worker, '--roles', 'host']);

	const temporal = await connectTemporal(installation);
	t.after(() => temporal.close());
	const recoveries = new Recoveries(temporal);
	const supervisor = host.client;
	const request = await makeRequest(
		{ machine: point.machine, point: point.restorePoint },
		{ name: 'web', finish: 'manual', switch: 'auto', allocate: 'thin', powerOn: true },
		{ networks: {}, repository, host: await supervisor.host() },
	);
	assert.equal((await recoveries.start(request)).outcome, 'started');
	const phase = (wanted: string) =>
		waitFor(`phase ${wanted}`, async () => (await recoveries.peek('web')).phase === wanted, {
			timeoutMs: 120_000,
			everyMs: 100,
		});
	await phase('running');
	const { recoveryId, movers } = await supervisor.recovery('web');
	assert.deepEqual(
		movers.map(({ kind }) => kind),
		['mount', 'migration'],
	);
	const token = (await readFile(recoveryPlaces(host.installation, 'web', recoveryId).token, 'utf8')).trim();
	const pins = async () => (await directAccess.listPins(repository)).pins.map(pin => pin.recoveryId);
	assert.deepEqual(await pins(), [recoveryId]);
	await control.answer('recover', 'migrate', 'web');
	await phase('finished');

	assert.equal(await supervisor.machinePower('web', 'off'), 'off');
	const { disks } = await supervisor.recovery('web');
	for (const [index, { path }] of disks.entries())
		assert.ok((await readFile(path)).equals(point.disks[index] ?? Buffer.alloc(0)));
	assert.deepEqual(await pins(), []);
	assert.equal(await new Grants(installation.home).read(recoveryId), undefined);
	const { events } = await temporal.client.workflow.getHandle(recoveryWorkflowId('web')).fetchHistory();
	const history = textsIn(events);
	assert.ok(history.includes(recoveryId) && !history.includes(token));
});

/** All that is said in it, of payloads too. */
function textsIn(value: unknown): string {
	if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
	if (typeof value === 'object' && value !== null) return Object.values(value).map(textsIn).join('\n');
	return typeof value === 'string' ? value : '';
}
