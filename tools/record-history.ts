/**
 * Writes a workflow history for the replay tests: `node tools/record-history.ts FILE [NAME]`.
 * With NAME: the recovery of that name in the installation of ROUSE_HOME. Without: a recovery made for it, on a real
 * server with real workers and a supervisor that has no machines, which meets what recoveries meet (a new policy, a report
 * of its host, a failed step, a retry, the power switch). A history that was released is never recorded again.
 */
import { connectTemporal } from '../client/connection.ts';
import { Orders } from '../client/orders.ts';
import { Recoveries } from '../client/recoveries.ts';
import { RouseError } from '../model/errors.ts';
import { openInstallation } from '../system/installation.ts';
import { waitFor } from '../system/wait.ts';
import { storedMachine } from '../test/equipment/stored-machine.ts';
import { SupervisorDouble } from '../test/equipment/supervisor-double.ts';
import { TestInstallation } from '../test/equipment/temporal.ts';
import { recoveryWorkflowId } from '../workflows/contracts.ts';
import { saveHistory } from './save-history.ts';

const asked = { by: 'recorder', reason: 'for the replay tests' };
const timeoutMs = 60_000;

const [file, name] = process.argv.slice(2);
if (file === undefined) throw new RouseError('usage', 'node tools/record-history.ts FILE [NAME]');
if (name === undefined) await recordNew(file);
else {
	const temporal = await connectTemporal(await openInstallation());
	await saveHistory(file, temporal, recoveryWorkflowId(name));
	await temporal.close();
}

async function recordNew(path: string): Promise<void> {
	const place = await TestInstallation.create();
	try {
		const supervisor = await SupervisorDouble.start(place.installation);
		await place.startServer();
		place.startWorkers('control', 'host');
		const temporal = await place.connect();
		const request = await storedMachine(place.installation.home);
		const recoveries = new Recoveries(temporal);
		await recoveries.start(request);
		await play(recoveries, new Orders(temporal), supervisor, request.name);
		await saveHistory(path, temporal, recoveryWorkflowId(request.name));
		await supervisor.stop();
	} finally {
		await place.remove();
	}
}

async function play(recoveries: Recoveries, orders: Orders, supervisor: SupervisorDouble, of: string): Promise<void> {
	await recoveries.waitFor(of, 'running', { timeoutMs });
	await orders.setPolicy(of, { ...asked, policy: { maxRateBytes: 1 << 20 } });
	await orders.power(of, { ...asked, action: 'off' });
	await orders.migrate(of, asked);
	supervisor.view(of).blocked = {
		code: 'chunk_bad',
		reason: 'chunk 3 of disk0',
		next: { order: 'retry', first: 'repair the repository' },
	};
	await waitFor('parked', async () => (await recoveries.peek(of)).status?.parked?.code === 'chunk_bad', { timeoutMs });
	await orders.retry(of, asked);
	await waitFor('unparked', async () => (await recoveries.peek(of)).status?.parked === null, { timeoutMs });
	supervisor.failing.set('switch-to-target', new RouseError('hypervisor_stuck', 'a mover cannot be killed'));
	supervisor.restore(of);
	await waitFor('parked', async () => (await recoveries.peek(of)).status?.parked?.code === 'hypervisor_stuck', {
		timeoutMs,
	});
	supervisor.failing.clear();
	await orders.retry(of, asked);
	await recoveries.waitFor(of, 'finished', { timeoutMs });
	await recoveries.result(of);
}
