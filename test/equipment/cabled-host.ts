/** An installation, and another host at the end of a cable that can be cut: a network namespace with a home of its own. Needs root. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { serviceFiles } from '../../keeper/services.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { changeConfig } from '../../system/change-config.ts';
import { freePort } from '../../system/free-port.ts';
import { findInstallation, type Installation, openInstallation } from '../../system/installation.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { endHolder } from '../../system/spawn-locked.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from './captive.ts';
import { CutCable } from './cut-cable.ts';
import { EmbeddedInstallation, endInstallation } from './embedded-installation.ts';
import { fastDirectory } from './simulated-bench.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export class CabledHost {
	/** With Temporal and the repository, and as the host `kvm1`. */
	readonly control: EmbeddedInstallation;
	readonly cable: CutCable;
	/** Of the host `kvm2`. */
	readonly installation: Installation;

	private constructor(control: EmbeddedInstallation, cable: CutCable, installation: Installation) {
		this.control = control;
		this.cable = cable;
		this.installation = installation;
	}

	/** Both are up. `places`: how many recoveries each of them takes at once. */
	static async joined(
		t: TestContext,
		kind: 'simulated' | 'qemu' = 'simulated',
		{ places = 8 }: { places?: number } = {},
	): Promise<CabledHost> {
		const cable = await CutCable.laid(t);
		const [door, served] = [await freePort(), await freePort()];
		const serve = `serve: {address: ${cable.nearAddress}, temporal: ${door}, repositories: {main: ${served}}}`;
		const own = `host: {name: kvm1, kind: ${kind}, recoveries: ${places}}`;
		const control = await EmbeddedInstallation.up(t, `${own}\n${serve}\n`, fastDirectory);
		const directory = await temporaryDirectory(t, async path => {
			const made = await findInstallation(join(path, 'home'));
			if (made) await endInstallation(made);
		});
		const [invitation, home] = [join(directory, 'kvm2.invitation'), join(directory, 'home')];
		await control.answer('host', 'invite', 'kvm2', '--to', invitation);
		await inside(cable, home, 'host', 'join', invitation);
		await changeConfig({ home }, document => {
			document.setIn(['host', 'kind'], kind);
			document.setIn(['host', 'recoveries'], places);
		});
		const host = new CabledHost(control, cable, await openInstallation(home));
		await host.up();
		return host;
	}

	/** A command on `kvm2`; what it writes to standard output. */
	async inside(...args: string[]): Promise<string> {
		return await inside(this.cable, this.installation.home, ...args);
	}

	/** As after its boot: what was there is adopted or started again. */
	async up(): Promise<void> {
		await this.inside('up', '--detach');
	}

	/**
	 * The service by which it reads the repository stands still: a recovery there gets its disks and its machine, and stands before
	 * its power-on. Gives what lets the service go on.
	 */
	async holdRepository(): Promise<() => void> {
		const served = await lockHolder(serviceFiles(this.control.installation.home, 'repo-serve-main').lockPath);
		assert.ok(served);
		process.kill(served.pid, 'SIGSTOP');
		return () => void process.kill(served.pid, 'SIGCONT');
	}

	/** The name of one that stands there before its power-on, with all else that it has made. */
	async standing(): Promise<string> {
		const supervisor = SupervisorClient.of(this.installation);
		return await waitFor(
			'a recovery to stand before its power-on',
			async () => {
				const found = (await supervisor.recoveries()).find(
					({ done, stalled }) => stalled && done.includes('create-machine') && !done.includes('power-on'),
				);
				return found?.name;
			},
			{ timeoutMs: 120_000 },
		);
	}

	/** By SIGKILL, all that is in its namespace and all that holds a lock in its home, until nothing is left. */
	async killWhole(): Promise<void> {
		const { home } = this.installation;
		await waitFor(
			'all of the host to be dead',
			async () => {
				const pids = await this.cable.processes();
				for (const pid of pids) kill(pid);
				let locks = 0;
				for await (const lock of glob('**/*.lock', { cwd: home })) {
					const path = join(home, lock);
					if (!(await lockHolder(path))) continue;
					locks += 1;
					await endHolder(path);
				}
				return pids.length + locks === 0;
			},
			{ timeoutMs: 30_000 },
		);
	}
}

function kill(pid: number): void {
	try {
		process.kill(pid, 'SIGKILL');
	} catch {
		// It has ended by itself.
	}
}

async function inside({ namespace }: CutCable, home: string, ...args: string[]): Promise<string> {
	const { stdout } = await run('ip', ['netns', 'exec', namespace, process.execPath, main, ...args], {
		env: { ...process.env, ROUSE_HOME: home },
	});
	return stdout;
}
