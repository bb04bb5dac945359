import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import * as z from 'zod';
import { takeDown } from '../../keeper/down.ts';
import { serviceFiles, serviceHolder, serviceNames } from '../../keeper/services.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { openInstallation } from '../../system/installation.ts';
import { signalHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { captive, temporaryDirectory } from '../equipment/captive.ts';

const upSchema = z.object({
	alreadyUp: z.boolean(),
	services: z.array(z.object({ name: z.enum(serviceNames), pid: z.int() })),
});

/** An installation of its own, and `rouse` for it; nothing of it is left when the test ends. */
async function installation(t: TestContext) {
	const home = await temporaryDirectory(t, async directory => {
		await takeDown(directory, () => {});
		await rm((await openInstallation(directory)).runDirectory, { recursive: true, force: true });
	});
	const rouse = async (...args: string[]): Promise<unknown> => {
		const command = [join(checkoutDirectory, 'cli', 'main.ts'), '--json', ...args];
		const { stdout } = await promisify(execFile)(process.execPath, command, {
			env: { ...process.env, ROUSE_HOME: home },
		});
		return JSON.parse(stdout);
	};
	const up = async () => {
		const { services, alreadyUp } = upSchema.parse(await rouse('up', '--detach'));
		return { pids: new Map(services.map(({ name, pid }) => [name, pid])), alreadyUp };
	};
	return { home, rouse, up };
}

describe('rouse up', () => {
	it('runs every service, brings back what was killed, and is ended by rouse down', async t => {
		const { home, rouse, up } = await installation(t);
		const first = await up();
		assert.deepEqual([...first.pids.keys()], serviceNames);

		for (const name of serviceNames) await signalHolder(serviceFiles(home, name).lockPath, 'SIGKILL');
		for (const name of serviceNames)
			await waitFor(
				`${name} to be another process`,
				async () => {
					const holder = await serviceHolder(home, name);
					return holder !== undefined && holder.pid !== first.pids.get(name);
				},
				{ timeoutMs: 30_000 },
			);
		const second = await up();
		assert.equal(second.alreadyUp, true);

		assert.deepEqual(await rouse('down'), {
			stopped: ['host-worker', 'control-worker', 'temporal-door', 'temporal-forwarder', 'temporal', 'supervisor'],
			machines: 0,
			movers: 0,
		});
		for (const name of [...serviceNames, 'keeper'] as const) assert.equal(await serviceHolder(home, name), undefined);
	});

	it('in the foreground starts its keeper again, and ends when rouse down has ended the services', async t => {
		const { home, rouse } = await installation(t);
		const command = [`ROUSE_HOME=${home}`, process.execPath, join(checkoutDirectory, 'cli', 'main.ts'), 'up'];
		const foreground = captive(t, 'env', command);
		try {
			await waitFor('all to be up', () => foreground.said().includes('services are ready'), { timeoutMs: 90_000 });
			const keeper = await serviceHolder(home, 'keeper');
			await signalHolder(serviceFiles(home, 'keeper').lockPath, 'SIGKILL');
			const another = async () => {
				const holder = await serviceHolder(home, 'keeper');
				return holder !== undefined && holder.pid !== keeper?.pid;
			};
			await waitFor('another keeper', another, { timeoutMs: 30_000 });
			await rouse('down');
			await waitFor('up to end', () => foreground.child.exitCode !== null, { timeoutMs: 30_000 });
			await foreground.end(); // until all that it said is read
			assert.equal(foreground.child.exitCode, 0);
			assert.match(foreground.said(), /the keeper .* had died[\s\S]*ended by rouse down/);
		} finally {
			await foreground.end('SIGKILL'); // first: it would start again what the test's end takes down
		}
	});

	it('adopts what runs when its keeper was killed', async t => {
		const { home, up } = await installation(t);
		const before = await up();
		await signalHolder(serviceFiles(home, 'keeper').lockPath, 'SIGKILL');
		await waitFor('the keeper to be gone', async () => !(await serviceHolder(home, 'keeper')), { timeoutMs: 30_000 });
		const after = await up();
		assert.deepEqual([after.alreadyUp, after.pids], [false, before.pids]);
	});
});
