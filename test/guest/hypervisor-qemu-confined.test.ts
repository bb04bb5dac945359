import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { makeQemuBench, type QemuBench, type QemuBenchOptions } from '../equipment/qemu-bench.ts';

async function bench(t: TestContext, options: QemuBenchOptions = {}): Promise<QemuBench> {
	const made = await makeQemuBench({ disks: 1, ...options });
	t.after(() => made.dispose());
	return made;
}

/** What the kernel knows of the QEMU that holds the machine's lock. */
async function processOf(made: QemuBench): Promise<{ filtered: boolean; environment: string[] }> {
	const holder = await lockHolder(machinePaths(made.definition).lock);
	assert.ok(holder, 'it does not run');
	const status = await readFile(`/proc/${holder.pid}/status`, 'utf8');
	const environment = await readFile(`/proc/${holder.pid}/environ`, 'utf8');
	return {
		filtered: /^Seccomp:\t2$/m.test(status), // SECCOMP_MODE_FILTER: proc(5)
		environment: environment.split('\0').flatMap(entry => entry.split('=')[0] || []),
	};
}

/** `stdbuf` of the bench has an environment of its own: here QEMU is started as it is. */
const plain = { options: { systemBinary: 'qemu-system-x86_64' } };

suite('A QEMU that its guest has taken over', { concurrency: 2 }, () => {
	test('can start no program, and finds nothing of our environment', async t => {
		process.env['ROUSE_TEST_SECRET'] = 'secret';
		const made = await bench(t, plain);
		await startedGuest(made);
		const { filtered, environment } = await processOf(made);
		assert.equal(filtered, true);
		assert.deepEqual(environment.toSorted(), ['LC_ALL', 'PATH']);
	});

	test('is confined as well when the start script has started it', async t => {
		const made = await bench(t);
		const guest = await startedGuest(made);
		await restoreTargets(made);
		await anew(made, async machine => {
			await machine.switchToTarget(new SwitchRecord(made, guest));
			await machine.handOver();
			await machine.powerOff();
		});
		const env = { ...process.env, ROUSE_TEST_SECRET: 'secret' };
		const child = spawn(machinePaths(made.definition).start, [], { stdio: 'inherit', env });
		const ended = once(child, 'exit');
		await waitFor('the machine', () => made.userGuest.runs(), { timeoutMs: 15_000 });
		const { filtered, environment } = await processOf(made);
		assert.equal(filtered, true);
		assert.ok(environment.includes('PATH') && !environment.includes('ROUSE_TEST_SECRET'), environment.join());
		await anew(made, machine => machine.powerOff());
		await ended;
	});

	test('without seccomp in QEMU the report warns, and machines are started and switched without', async t => {
		const systemBinary = join(await temporaryDirectory(t), 'qemu');
		const refuse = 'case "$*" in *-sandbox*) echo "qemu: -sandbox support is not enabled" >&2; exit 1;; esac';
		await writeFile(systemBinary, `#!/bin/sh\n${refuse}\nexec stdbuf -oL qemu-system-x86_64 "$@"\n`, { mode: 0o755 });
		const made = await bench(t, { options: { systemBinary } });
		assert.match((await made.platform.report()).warnings.join('\n'), /without its sandbox.*support is not enabled/);
		const guest = await startedGuest(made);
		assert.equal((await processOf(made)).filtered, false);
		await guest.write();
		await restoreTargets(made);
		await anew(made, machine => machine.switchToTarget(new SwitchRecord(made, guest)));
		await guest.checkInGuest();
		await anew(made, machine => machine.powerOff());
		await guest.checkContent();
	});
});
