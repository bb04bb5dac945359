/**
 * Writes the histories of two imports for the replay tests: `node tools/record-import-histories.ts FILE CANCELLED`, of a simulated
 * machine, on a real server with real workers. The first meets what imports meet, and makes its point; the second is cancelled while
 * it copies. A history that was released is never recorded again.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Imports } from '../client/imports.ts';
import { RouseError } from '../model/errors.ts';
import { initRepository } from '../repository/repository.ts';
import { blockBytes as block } from '../sources/simulated-machine/bitmaps.ts';
import { Faults } from '../sources/simulated-machine/faults.ts';
import { waitFor } from '../system/wait.ts';
import { BrokerSite } from '../test/equipment/broker-site.ts';
import { configText, makeSimulatedMachine } from '../test/equipment/import-installation.ts';
import { noise } from '../test/equipment/repositories.ts';
import { startBrokerIn } from '../test/equipment/served-broker.ts';
import { TestInstallation } from '../test/equipment/temporal.ts';
import { importWorkflowId } from '../workflows/import-contracts.ts';
import { saveHistory } from './save-history.ts';

const until = { timeoutMs: 60_000, everyMs: 500 };

const [whole, cancelled] = process.argv.slice(2);
if (whole === undefined || cancelled === undefined)
	throw new RouseError('usage', 'node tools/record-import-histories.ts FILE CANCELLED');

const place = await TestInstallation.create();
try {
	const { home } = place.installation;
	const { id: repositoryId, location: repository, store } = await initRepository(join(home, 'repository'));
	await store.close();
	const machine = await makeSimulatedMachine(join(home, 'machine'));
	await writeFile(join(home, 'config.yaml'), configText(repository, machine.files.directory));
	await writeFile(join(home, 'credential'), 'of no use\n', { mode: 0o600 });
	await place.startServer();
	const temporal = await place.connect();
	// One that comes up empty waits for a host, which is not here.
	await startBrokerIn(temporal.client, new BrokerSite({ 'repository/main': { imports: 2 } }).state);
	place.startWorkers('control');
	const imports = new Imports(temporal);
	const name = { machine: 'web01', repositoryId };
	const input = { ...name, source: 'web', repository };
	const workflowId = importWorkflowId(repositoryId, 'web01');
	const phaseOf = async () => (await imports.view(name).catch(() => undefined))?.view.phase;

	await new Faults(machine.files.faults).set([
		{ at: 'begin', does: 'source_unreachable' },
		{ at: 'begin', does: 'source_changed' },
		{ at: 'ready', does: 'pending' },
		{ at: 'read', does: 'source_unreachable' },
	]);
	await imports.start({ ...input, maxRateBytes: null }, 'for the replay tests');
	await waitFor('its end', async () => (await phaseOf()) === 'over', until);
	await saveHistory(whole, temporal, workflowId);

	// So slow that it does not end by itself.
	await machine.write('disk-0', 0, noise(20 * block, 2));
	await imports.start({ ...input, maxRateBytes: 1024 }, 'for the replay tests');
	await waitFor('its copy', async () => (await phaseOf()) === 'copying', until);
	await imports.cancel(name, { reason: 'for the replay tests' });
	await waitFor('its end', async () => (await phaseOf()) === 'over', until);
	await saveHistory(cancelled, temporal, workflowId);
} finally {
	await place.remove();
}
