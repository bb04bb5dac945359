/** An installation that has its histories in PostgreSQL, of which each part dies while a recovery is under way. */
import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { connectTemporal } from '../../client/connection.ts';
import { Orders } from '../../client/orders.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { makeRequest } from '../../client/requests.ts';
import { readDeaths } from '../../keeper/deaths.ts';
import { programsFor } from '../../keeper/postgres/programs.ts';
import { openRoom } from '../../keeper/postgres/room.ts';
import { type ServiceName, serviceFiles, serviceHolder } from '../../keeper/services.ts';
import { RouseError } from '../../model/errors.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { places } from '../../system/installation.ts';
import { signalHolder } from '../../system/process-lock.ts';
import { runTool } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import { recoveryWorkflowId } from '../../workflows/contracts.ts';
import { captive } from '../equipment/captive.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';
import { openListeners } from '../equipment/listeners.ts';
import { powersOf } from '../equipment/powers.ts';
import { fastDirectory } from '../equipment/simulated-bench.ts';

const timeoutMs = 90_000;
const name = 'web';
const listSchema = z.object({ recoveries: z.array(z.object({ name: z.string(), phase: z.string() })) });

test('a recovery on PostgreSQL ends finished, with its history whole, while database and server die', async t => {
	const config = 'host: {kind: simulated}\n';
	const here = await EmbeddedInstallation.up(t, config, fastDirectory, '--temporal', 'postgres');
	const { home, runDirectory } = here.installation;
	const [data, sockets] = [places.postgres(home), places.postgresSockets(runDirectory)];
	const pidOf = async (service: ServiceName) => (await serviceHolder(home, service))?.pid ?? 0;
	const dies = async (service: ServiceName, by: NodeJS.Signals) => {
		const before = await pidOf(service);
		assert.ok(await signalHolder(serviceFiles(home, service).lockPath, by), service);
		const another = async () => ![0, before].includes(await pidOf(service));
		await waitFor(`another ${service}`, another, { timeoutMs });
	};

	await t.test('its database answers nobody else, checks its files, and has no powers', async () => {
		const pid = await pidOf('postgres');
		assert.equal((await stat(sockets)).mode & 0o777, 0o700);
		assert.deepEqual(await openListeners([pid]), []);
		const { postgres } = await programsFor(data);
		const beside = (program: string) => join(postgres, '..', program);
		const asks = (user: string, what: string) =>
			runTool(beside('psql'), ['-h', sockets, '-U', user, '-Atc', what, 'temporal'], { hint: '' });
		assert.equal((await asks('temporal', 'SHOW fsync')).stdout, 'on\n');
		assert.match((await asks('postgres', 'SELECT 1')).stderr, /no pg_hba.conf entry/);
		const { stdout: superuser } = await asks('temporal', 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user');
		assert.equal(superuser, 'f\n');
		const { stdout } = await runTool(beside('pg_controldata'), [data], { hint: '' });
		assert.match(stdout, /Data page checksum version: +1/);
		if ((await openRoom()).owner) assert.equal(await powersOf(pid), '');
		const environment = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0').map(entry => entry.split('=')[0]);
		assert.ok(environment.includes('PATH') && !environment.includes('ROUSE_HOME'), environment.join(' '));
	});

	const temporal = await connectTemporal(here.installation);
	t.after(() => temporal.close());
	const [recoveries, orders] = [new Recoveries(temporal), new Orders(temporal)];
	const { client } = temporal;
	const history = async () => (await client.workflow.getHandle(recoveryWorkflowId(name)).fetchHistory()).events ?? [];
	/** What cannot be told now, while somebody is dead, is asked again. */
	const reaches = (phase: string) =>
		waitFor(
			phase,
			async () => {
				try {
					return (await recoveries.show(name)).phase === phase;
				} catch (error) {
					if (error instanceof RouseError && error.retry === 'transient') return false;
					throw error;
				}
			},
			{ timeoutMs, everyMs: 100 },
		);

	await t.test('a whole recovery while PostgreSQL dies, starts again, and Temporal dies', async () => {
		const [point] = await storePoints(here.repository);
		assert.ok(point);
		const host = await SupervisorClient.of(here.installation).host();
		const request = await makeRequest(
			{ machine: point.machine, point: point.restorePoint },
			{ name, finish: 'manual', switch: 'auto', maxRateBytes: 1024 * 1024, allocate: 'thin', powerOn: true },
			{ networks: {}, repository: here.repository, host },
		);
		assert.equal((await recoveries.start(request)).outcome, 'started');
		await dies('postgres', 'SIGKILL');
		await reaches('running');
		await orders.migrate(name, {});
		await reaches('migrating');
		await dies('postgres', 'SIGINT'); // a restart, as by its administrator
		await dies('temporal', 'SIGKILL');
		await reaches('finished');

		const ids = (await history()).map(event => Number(event.eventId));
		assert.deepEqual(
			ids,
			ids.map((_id, at) => at + 1),
		);
		const last = (await history()).at(-1);
		assert.ok(last?.workflowExecutionCompletedEventAttributes, 'it has not completed');
		const died = (await readDeaths(home)).map(death => death.name);
		const killed = died.filter(one => one === 'postgres' || one === 'temporal'); // a worker may end because of it
		assert.deepEqual(killed, ['postgres', 'postgres', 'temporal']);
		assert.match(await readFile(serviceFiles(home, 'postgres').logPath, 'utf8'), /automatic recovery in progress/);
	});

	await t.test('`down` and `up` keep all of it, with pidfiles left that name somebody else', async t2 => {
		const events = (await history()).length;
		const { status } = await recoveries.show(name);
		await here.answer('down');
		const { owner } = await openRoom();
		const as = owner
			? ['setpriv', '--reuid', String(owner.uid), '--regid', String(owner.gid), '--clear-groups']
			: ['env'];
		const [command, ...args] = [...as, 'sleep', '600'];
		const { child } = captive(t2, command, args);
		for (const left of [join(data, 'postmaster.pid'), join(sockets, '.s.PGSQL.5432.lock')])
			await writeFile(left, `${child.pid}\n/mnt/data\n1\n5432\n`);
		await here.answer('up', '--detach');
		assert.deepEqual((await recoveries.show(name)).status, status);
		assert.equal((await history()).length, events);
		const { recoveries: listed } = listSchema.parse(await here.answer('recover', 'list'));
		assert.deepEqual(listed, [{ name, phase: 'finished' }]);
	});

	await t.test('`up --temporal embedded` is refused, and changes nothing', async () => {
		const before = await readFile(join(home, 'config.yaml'), 'utf8');
		const { code, message } = await here.refusal('up', '--detach', '--temporal', 'embedded');
		assert.equal(code, 'precheck_failed');
		assert.match(message, /not moved/);
		assert.equal(await readFile(join(home, 'config.yaml'), 'utf8'), before);
	});
});
