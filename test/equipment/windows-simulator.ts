/** The simulated Windows host as a process, over its sockets. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import type * as z from 'zod';
import { answerSchema } from '../../hypervisors/hyperv/driver/wire.ts';
import { ApplianceKernel } from '../../hypervisors/hyperv/simulator/appliance-kernel.ts';
import type { SimulatorConfig } from '../../hypervisors/hyperv/simulator/main.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { waitFor } from '../../system/wait.ts';
import { type Captive, captive, temporaryDirectory } from './captive.ts';
import { applianceId } from './windows-host.ts';

export interface Simulator {
	config: SimulatorConfig;
	/** Where its appliance's kernel shows its disks. */
	applianceDirectory: string;
	process: Captive;
	start(this: void): Promise<void>;
	/** Of one session; undefined when it was dropped. */
	ask(this: void, op: string, request: object): Promise<z.output<typeof answerSchema> | undefined>;
	must(this: void, op: string, request: object): Promise<unknown>;
}

/** In a session of its own; undefined when it was dropped. */
export async function askDriver(
	driverSocket: string,
	op: string,
	request: object,
): Promise<z.output<typeof answerSchema> | undefined> {
	const socket = connect(driverSocket);
	try {
		socket.write(`${JSON.stringify({ id: 7, op, ...request })}\n`);
		for await (const line of createInterface({ input: socket })) return answerSchema.parse(JSON.parse(line));
		return undefined;
	} finally {
		socket.destroy();
	}
}

export async function windowsSimulator(t: TestContext): Promise<Simulator> {
	let simulated: Simulator | undefined;
	const directory = await temporaryDirectory(t, async place => {
		await simulated?.process.end();
		// What one that was killed has left mounted.
		await new ApplianceKernel(join(place, 'appliance')).reboot();
	});
	const config: SimulatorConfig = {
		directory: join(directory, 'windows'),
		driverSocket: join(directory, 'driver.sock'),
		consoleSocket: join(directory, 'console.sock'),
		controlSocket: join(directory, 'control.sock'),
		applianceId,
		appliance: { directory: join(directory, 'appliance') },
	};
	const configPath = join(directory, 'simulator.json');
	await writeFile(configPath, JSON.stringify(config));
	const script = join(checkoutDirectory, 'hypervisors', 'hyperv', 'simulator', 'main.ts');
	const launch = async () => {
		const started = captive(t, process.execPath, [script, configPath]);
		await waitFor('the host to boot', () => started.said().includes('ready') || started.child.exitCode !== null, {
			timeoutMs: 30_000,
		});
		assert.match(started.said(), /ready/);
		return started;
	};
	const ask: Simulator['ask'] = (op, request) => askDriver(config.driverSocket, op, request);
	const must: Simulator['must'] = async (op, request) => {
		const answer = await ask(op, request);
		assert.ok(answer?.ok, `${op}: ${JSON.stringify(answer)}`);
		return answer.result;
	};
	const host: Simulator = {
		config,
		applianceDirectory: join(directory, 'appliance'),
		process: await launch(),
		start: async () => void (host.process = await launch()),
		ask,
		must,
	};
	simulated = host;
	return host;
}
