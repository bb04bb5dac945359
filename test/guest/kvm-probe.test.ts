import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import type { Variant } from '../../hypervisors/qemu/acceleration.ts';
import { findFirmwares } from '../../hypervisors/qemu/firmware.ts';
import { type ProbeOptions, tryVariant } from '../../hypervisors/qemu/kvm-probe.ts';
import { waitFor } from '../../system/wait.ts';
import { captive, temporaryDirectory } from '../equipment/captive.ts';

const bios: Variant = { firmware: 'bios', enlightenments: false };
const efi: Variant = { firmware: 'efi', enlightenments: false };
const qemu = 'qemu-system-x86_64';
/** A busy machine is slow: this says that something hangs. */
const limitMs = 120_000;

async function program(t: TestContext, text: string): Promise<string> {
	const path = join(await temporaryDirectory(t), 'qemu');
	await writeFile(path, `#!/bin/bash\n${text}\n`);
	await chmod(path, 0o755);
	return path;
}

/** Of programs that stand for a QEMU under KVM, or tried under TCG. */
function tried(variant: Variant, options: Partial<ProbeOptions>) {
	return tryVariant(variant, { systemBinary: qemu, sandbox: true, firmware: undefined, limitMs, ...options });
}

suite('`tryVariant`', { concurrency: 2 }, () => {
	for (const variant of [bios, efi])
		test(`sees the ${variant.firmware} program come to its end where guests run`, async () => {
			const [firmware] = await findFirmwares();
			const answer = await tried(variant, { firmware, accelerator: 'tcg' });
			assert.deepEqual(answer, { works: true, reason: 'a guest ran under TCG', lasting: true });
		});

	for (const [what, cpu] of [
		['long mode', 'max,lm=off'],
		['SSE', 'max,sse=off,sse2=off,fxsr=off'],
	] as const)
		test(`runs a program that really needs ${what}`, async t => {
			const systemBinary = await program(t, `exec ${qemu} "\${@/#max*/${cpu}}"`);
			assert.deepEqual(await tried(bios, { systemBinary, accelerator: 'tcg' }), {
				works: false,
				reason: 'a guest reset itself under TCG',
				lasting: true,
			});
		});

	test('runs a program that waits for a timer', async t => {
		const systemBinary = await program(t, `exec ${qemu} "\${@/#q35/q35,pit=off,hpet=off}"`);
		const answer = await tried(bios, { systemBinary, accelerator: 'tcg', limitMs: 3_000 });
		assert.match(answer.reason, /got nowhere/);
	});

	test('takes a QEMU that fails an assertion at its start as an answer that lasts', async t => {
		const said = 'qemu-system-x86_64: error: failed to set MSR 0x40000021 to 0x0';
		const systemBinary = await program(t, `echo "${said}" >&2; kill -ABRT $$`);
		assert.deepEqual(await tried(bios, { systemBinary }), {
			works: false,
			reason: 'QEMU gave up under KVM: failed to set MSR 0x40000021 to 0x0',
			lasting: true,
		});
	});

	test('takes an exit code as an answer of the moment: memory may have been short', async t => {
		const systemBinary = await program(
			t,
			'echo "qemu: cannot set up guest memory: Cannot allocate memory" >&2; exit 1',
		);
		const { works, lasting, reason } = await tried(bios, { systemBinary });
		assert.deepEqual([works, lasting], [false, false]);
		assert.match(reason, /Cannot allocate memory/);
	});

	for (const variant of [bios, efi])
		test(`sees that a guest with ${variant.firmware} stands in internal-error, though QEMU goes on`, async t => {
			const [firmware] = await findFirmwares();
			const systemBinary = await program(
				t,
				[
					'answer() { read -r _; echo "{\\"return\\":$1,\\"id\\":\\"rouse-$2\\"}"; }',
					'echo \'{"QMP":{"version":{}}}\'',
					"answer '{}' 1",
					'answer \'{"running":true,"status":"running"}\' 2',
					...(variant.firmware === 'efi' ? ["answer '[]' 3"] : []),
					`answer '{"running":false,"status":"internal-error"}' ${variant.firmware === 'efi' ? 4 : 3}`,
					'echo "KVM internal error. Suberror: 1" >&2',
					'exec sleep 1000',
				].join('\n'),
			);
			assert.deepEqual(await tried(variant, { systemBinary, firmware }), {
				works: false,
				reason: 'a guest died under KVM: KVM internal error. Suberror: 1',
				lasting: true,
			});
		});

	test('gives up on a guest that gets nowhere, or a QEMU that does not answer, as an answer of the moment', async t => {
		const [firmware] = await findFirmwares();
		const stopped = await program(t, `exec ${qemu} -S "$@"`);
		for (const [variant, systemBinary] of [
			[bios, stopped],
			[efi, stopped],
			[bios, await program(t, 'exec sleep 1000')],
		] as const) {
			const answer = await tried(variant, { systemBinary, firmware, accelerator: 'tcg', limitMs: 500 });
			assert.deepEqual([answer.works, answer.lasting], [false, false]);
			assert.match(answer.reason, /got nowhere under TCG within 500 ms/);
		}
	});

	test('ends when it is aborted', async t => {
		const abort = new AbortController();
		const pidFile = join(await temporaryDirectory(t), 'pid');
		const systemBinary = await program(t, `echo $$ > ${pidFile}; exec sleep 1000`);
		const answer = tried(bios, { systemBinary, signal: abort.signal });
		const pid = await pidIn(pidFile);
		abort.abort();
		await assert.rejects(answer, { name: 'AbortError' });
		assert.equal(isAlive(pid), false);
	});

	test('tries it in the sandbox and with the environment that machines have', async t => {
		const seen = join(await temporaryDirectory(t), 'seen');
		const systemBinary = await program(
			t,
			`echo "$@" >${seen}; env -0 | cut -z -d= -f1 | tr '\\0' ' ' >>${seen}; exit 3`,
		);
		for (const sandbox of [true, false]) {
			await tried(bios, { systemBinary, sandbox });
			const [args = '', environment = ''] = (await readFile(seen, 'utf8')).split('\n');
			assert.equal(/-sandbox on,\S*spawn=deny/.test(args), sandbox, args);
			// Three of them are bash's own.
			assert.deepEqual(environment.trim().split(' ').toSorted(), ['LC_ALL', 'PATH', 'PWD', 'SHLVL', '_']);
		}
	});

	test('leaves no QEMU behind when its process is killed', async t => {
		const pidFile = join(await temporaryDirectory(t), 'pid');
		const systemBinary = await program(t, `echo $$ > ${pidFile}; exec sleep 1000`);
		const module = new URL('../../hypervisors/qemu/kvm-probe.ts', import.meta.url).href;
		const options = JSON.stringify({ systemBinary, sandbox: true, limitMs });
		const script = `import { tryVariant } from '${module}'; await tryVariant({ firmware: 'bios' }, ${options});`;
		const temporary = `TMPDIR=${await temporaryDirectory(t)}`; // what a killed process leaves there
		const node = [process.execPath, '--input-type=module', '--eval', script];
		const prober = captive(t, '/usr/bin/env', [temporary, ...node]);
		const pid = await pidIn(pidFile);
		prober.child.kill('SIGKILL');
		await waitFor('QEMU to be gone', () => !isAlive(pid), { timeoutMs: 10_000 });
	});
});

function pidIn(path: string): Promise<number> {
	const read = async () => Number(await readFile(path, 'utf8').catch(() => '')) || undefined;
	return waitFor('the pid', read, { timeoutMs: 20_000 });
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}
