/** What runs the guests of this host: KVM where it carries them, else emulation; nothing here is pinned to one of them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GuestConsole } from '../../client/demo/console.ts';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { startedGuest } from '../../hypervisors/conformance/lifecycle-cases.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import type { MachineDefinition } from '../../hypervisors/contract.ts';
import { type Variant, variantOf } from '../../hypervisors/qemu/acceleration.ts';
import { crashOf } from '../../hypervisors/qemu/guest-power.ts';
import { inspectHost, type KvmSource, programs } from '../../hypervisors/qemu/host.ts';
import { createQemuHypervisor } from '../../hypervisors/qemu/hypervisor.ts';
import { queryStatus } from '../../hypervisors/qemu/monitor-queries.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { QmpClient } from '../../hypervisors/qemu/qmp-client.ts';
import { readRecord, recordFallBack, recordSnapshot } from '../../hypervisors/qemu/record.ts';
import type { MachineConfig } from '../../model/machine.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { makeQemuBench, type QemuBench, type QemuBenchOptions } from '../equipment/qemu-bench.ts';

const run = promisify(execFile);
const build = fileURLToPath(new URL('../../tools/guest/build', import.meta.url));

const windows: MachineConfig = {
	cpus: 1,
	memoryMiB: 32,
	firmware: 'bios',
	nics: [],
	diskBus: 'virtio',
	nicModel: 'virtio',
	os: 'windows',
};

async function bench(t: TestContext, options: QemuBenchOptions = {}): Promise<QemuBench> {
	const made = await makeQemuBench(options);
	t.after(() => made.dispose());
	return made;
}

/** What follows an option on the command line of the machine that runs. */
async function optionOf({ definition }: Pick<QemuBench, 'definition'>, option: string): Promise<string | undefined> {
	const holder = await lockHolder(machinePaths(definition).lock);
	const args = (await readFile(`/proc/${holder?.pid}/cmdline`, 'utf8')).split('\0');
	return args[args.indexOf(option) + 1];
}

/** A machine on the disk of a real guest, as it is after the finish. */
async function realMachine(t: TestContext, firmware: 'bios' | 'efi', os: 'linux' | 'windows') {
	const directory = await temporaryDirectory(t, () => machine.remove());
	const runDirectory = join(directory, 'run');
	await mkdir(runDirectory);
	const targetPath = join(directory, 'disk0.raw');
	await run(build, ['--size', '128', '--firmware', firmware, targetPath]);
	const definition: MachineDefinition = {
		recoveryId: randomUUID(),
		machineName: 'real',
		config: { cpus: 1, memoryMiB: 256, firmware, nics: [], diskBus: 'virtio', nicModel: 'virtio', os },
		nics: [],
		disks: [{ name: 'disk0', sizeBytes: (await stat(targetPath)).size, targetPath }],
		directory,
		runDirectory,
		nbdSocket: join(directory, 'none'),
	};
	const options = { cacheDirectory: join(directory, 'cache') };
	const machine = createQemuHypervisor(options).machine(definition);
	const host = await inspectHost({ ...programs, ...options, setting: async () => 'auto' });
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
				const guest = await GuestConsole.open(machine.sockets.console);
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

/** A KVM of which the probe says the same for all variants. */
function kvmThat(works: boolean): KvmSource & { asked: Variant[] } {
	const asked: Variant[] = [];
	return {
		asked,
		missing: async () => undefined,
		probe: async variant => {
			asked.push(variant);
			return { works, reason: works ? 'it ran' : 'it died', lasting: true };
		},
	};
}

/** Ends QEMU under KVM as it ends when the kernel refuses a register. */
const assertionUnderKvm = `case "$*" in *"-accel kvm"*)
	echo "qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69" >&2
	kill -ABRT $$;;
esac`;

/** With `-accel kvm` on its command line, and what this host has instead. */
const pretendedKvm = 'for arg do shift; case "$arg" in kvm) arg=tcg;; host*) arg=max;; esac; set -- "$@" "$arg"; done';

async function started(made: QemuBench): Promise<void> {
	await made.mover.start();
	await anew(made, async machine => {
		await machine.create();
		await machine.snapshot();
		await machine.powerOn('mover');
	});
}

suite('a machine on QEMU is run', { concurrency: 2 }, () => {
	test('under KVM with enlightenments when the probe of that kind says so', async t => {
		const kvm = kvmThat(true);
		const recorder = join(await temporaryDirectory(t), 'args');
		const made = await bench(t, {
			options: { accelerator: async () => 'auto', kvm },
			definition: { config: windows },
			prelude: `echo "$*" >> ${recorder}\n${pretendedKvm}`,
		});
		await started(made);
		assert.match(await readFile(recorder, 'utf8'), /-accel kvm -cpu host,hv_relaxed/);
		assert.deepEqual(kvm.asked, [{ firmware: 'bios', enlightenments: true }]);
	});

	test('emulated when the probe says no, and the report says so', async t => {
		const made = await bench(t, { options: { accelerator: async () => 'auto', kvm: kvmThat(false) } });
		await started(made);
		assert.equal(await optionOf(made, '-accel'), 'tcg');
		const report = await made.hypervisor.report();
		assert.equal(report.accelerator, 'tcg');
		assert.match(report.warnings.join('\n'), /BIOS machines are emulated \(TCG\), which is slow: it died/);
	});

	test('not at all when KVM is forced and does not work; nothing is started', async t => {
		const made = await bench(t, { options: { accelerator: async () => 'kvm', kvm: kvmThat(false) } });
		await assert.rejects(started(made), { code: 'precheck_failed', message: /KVM is demanded: it died/ });
		assert.equal(await made.instance(), undefined);
	});

	test('without a look at KVM when emulation is forced', async t => {
		const kvm = kvmThat(true);
		const made = await bench(t, { options: { accelerator: async () => 'tcg', kvm } });
		await started(made);
		assert.equal((await made.hypervisor.report()).accelerator, 'tcg');
		assert.deepEqual(kvm.asked, []);
	});

	test('emulated for good once it has fallen back, also after the hand-over', async t => {
		let setting: 'auto' | 'kvm' = 'auto';
		const options = { accelerator: async () => setting, kvm: kvmThat(true) };
		const made = await bench(t, { options, prelude: assertionUnderKvm });
		await assert.rejects(started(made), {
			code: 'machine_failed',
			message: /^the machine could not be started: .*KVM .*\. QEMU said: .*failed to set MSR 0x10a/s,
			details: { accelerator: 'kvm', refused: true },
		});
		const paths = machinePaths(made.definition);
		await recordFallBack(made.definition, paths, 'it died under KVM');
		await recordSnapshot(made.definition, paths);
		const guest = await startedGuest(made);
		assert.equal(await optionOf(made, '-accel'), 'tcg');
		assert.equal((await readRecord(made.definition, paths))?.snapshotMade, true);
		await made.restore();
		await anew(made, async machine => {
			await machine.powerOff();
			await machine.switchToTarget(new SwitchRecord(made, guest));
			await machine.handOver();
			assert.match(await readFile(paths.start, 'utf8'), /-accel tcg/);
			await machine.powerOn('target');
			assert.equal(await optionOf(made, '-accel'), 'tcg');
			await machine.powerOff();
			setting = 'kvm';
			await assert.rejects(machine.powerOn('target'), { details: { accelerator: 'kvm', refused: true } });
			await machine.remove();
		});
		assert.deepEqual(await made.leftovers(), []);
	});
});
