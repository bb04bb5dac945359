/** What runs the guests of this host: KVM where it carries them, else emulation; nothing here is pinned to one of them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GuestConsole } from '../../cli/demo/console.ts';
import { gateOf } from '../../hypervisors/conformance/bench.ts';
import { variantOf } from '../../hypervisors/qemu/acceleration.ts';
import { chooseDevices } from '../../hypervisors/qemu/choose-hardware.ts';
import { crashOf } from '../../hypervisors/qemu/run-state.ts';
import { inspectHost, machineUsers, programs } from '../../hypervisors/qemu/host.ts';
import { queryStatus } from '../../hypervisors/qemu/monitor-queries.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { createQemuPlatform } from '../../hypervisors/qemu/platform.ts';
import { QmpClient } from '../../qmp/client.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { kvmThat, optionOf, pretendedKvm, started } from '../equipment/pretended-kvm.ts';
import { benchConfig, makeQemuBench, type QemuBench, type QemuBenchOptions } from '../equipment/qemu-bench.ts';

const run = promisify(execFile);
const build = fileURLToPath(new URL('../../tools/guest/build', import.meta.url));

async function bench(t: TestContext, options: QemuBenchOptions = {}): Promise<QemuBench> {
	const made = await makeQemuBench(options);
	t.after(() => made.dispose());
	return made;
}

const noMover = gateOf({ mover: { start: async () => undefined, stop: async () => undefined } });

/** A machine on the disk of a real guest, as it is after the finish. */
async function realMachine(t: TestContext, firmware: 'bios' | 'efi', os: 'linux' | 'windows') {
	const directory = await temporaryDirectory(t, () => machine.remove());
	const runDirectory = join(directory, 'run');
	await mkdir(runDirectory);
	const targetPath = join(directory, 'disk0.raw');
	await run(build, ['--size', '128', '--firmware', firmware, targetPath]);
	const drivers = [{ name: 'virtio', learntFrom: 'spec' as const }];
	const config = { ...benchConfig(1), memoryMiB: 256, firmware, os, drivers };
	const definition = {
		recoveryId: randomUUID(),
		machineName: 'real',
		config,
		hardware: chooseDevices({ config, nics: [], options: {} }, {}).data,
		nics: [],
		disks: [{ name: 'disk0', sizeBytes: (await stat(targetPath)).size, exports: { now: '', wait: '' } }],
		allocate: 'thin' as const,
		directory,
		runDirectory,
		nbdSocket: join(directory, 'none'),
	};
	const options = { cacheDirectory: join(directory, 'cache'), datastore: directory };
	const machine = createQemuPlatform(options).machine(definition, noMover);
	const host = await inspectHost({
		...programs,
		...options,
		users: machineUsers(programs.systemBinary),
		setting: async () => 'auto',
	});
	return { machine, definition, answer: await host.accelerationFor(variantOf(definition.config)) };
}

suite('a real guest runs under what this host answers:', () => {
	for (const firmware of ['bios', 'efi'] as const)
		for (const os of ['linux', 'windows'] as const)
			test(`${firmware}, ${os === 'windows' ? 'as Windows is run' : 'as Linux is run'}`, async t => {
				const { machine, definition, answer } = await realMachine(t, firmware, os);
				// The same hardware as without enlightenments: that test has it already.
				if (os === 'windows' && !answer.enlightenments) return;
				t.diagnostic(`${answer.accelerator}: ${answer.reason}`);
				await machine.create();
				await machine.powerOn('target');
				assert.equal(await optionOf({ definition }, '-accel'), answer.accelerator);
				const guest = await GuestConsole.open(machinePaths(definition).sockets.console);
				t.after(() => guest.close());
				const ready = guest.waitFor(new RegExp(`^ROUSE-GUEST firmware=${firmware}`), { timeoutMs: 300_000 });
				await Promise.race([ready, untilCrashed(t, machinePaths(definition).sockets.qmp)]);
			});
});

/** Throws when the guest stands in a state that it cannot leave. */
async function untilCrashed(t: TestContext, socket: string): Promise<never> {
	const qmp = await QmpClient.connect(socket);
	t.after(() => qmp.close());
	const look = async () => crashOf((await queryStatus(qmp)).status);
	throw new Error(await waitFor('a crash', look, { timeoutMs: 300_000, everyMs: 100, signal: t.signal }));
}

suite('a machine on QEMU is run', { concurrency: 2 }, () => {
	test('under KVM with enlightenments when the probe of that kind says so', async t => {
		const kvm = kvmThat(true);
		const open = await temporaryDirectory(t);
		await chmod(open, 0o711); // for the machine's own user
		const recorder = join(open, 'args');
		await writeFile(recorder, '');
		await chmod(recorder, 0o666);
		const made = await bench(t, {
			options: { defaults: async () => ({}), kvm },
			config: { os: 'windows' },
			prelude: `echo "$*" >> ${recorder}\n${pretendedKvm}`,
		});
		await started(made);
		assert.match(await readFile(recorder, 'utf8'), /-accel kvm -cpu host,hv_relaxed/);
		assert.deepEqual(kvm.asked, [{ firmware: 'bios', enlightenments: true }]);
	});

	test('emulated when the probe says no, and the report says so', async t => {
		const made = await bench(t, { options: { defaults: async () => ({}), kvm: kvmThat(false) } });
		await started(made);
		assert.equal(await optionOf(made, '-accel'), 'tcg');
		const report = await made.platform.report();
		assert.equal(report.accelerator, 'tcg');
		assert.match(report.warnings.join('\n'), /BIOS machines are emulated \(TCG\), which is slow: it died/);
	});

	test('not at all when KVM is forced and does not work; nothing is started', async t => {
		const made = await bench(t, { options: { defaults: async () => ({ accelerator: 'kvm' }), kvm: kvmThat(false) } });
		await assert.rejects(started(made), { code: 'precheck_failed', message: /KVM is demanded: it died/ });
		assert.equal(await made.boot(), undefined);
	});

	test('without a look at KVM when emulation is forced', async t => {
		const kvm = kvmThat(true);
		const made = await bench(t, { options: { kvm } });
		await started(made);
		assert.equal((await made.platform.report()).accelerator, 'tcg');
		assert.deepEqual(kvm.asked, []);
	});
});
