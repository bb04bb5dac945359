import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import * as z from 'zod';
import type { Variant } from '../../hypervisors/qemu/acceleration.ts';
import { KvmAnswers, type KvmAnswersOptions, missingKvm } from '../../hypervisors/qemu/kvm-answers.ts';
import type { ProbeAnswer } from '../../hypervisors/qemu/kvm-probe.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const bios: Variant = { firmware: 'bios', enlightenments: false };
const efi: Variant = { firmware: 'efi', enlightenments: false };
const windows: Variant = { firmware: 'bios', enlightenments: true };

interface PretendedHost {
	path: string;
	now: number;
	tried: Variant[];
	answer: ProbeAnswer | Error;
	/** As another process would see it. */
	asked(change?: Partial<KvmAnswersOptions>): KvmAnswers;
}

async function prepare(t: TestContext): Promise<PretendedHost> {
	const path = join(await temporaryDirectory(t), 'cache', 'kvm.json');
	const host: PretendedHost = {
		path,
		now: 0,
		tried: [],
		answer: { works: true, reason: 'ran', lasting: true },
		asked(change: Partial<KvmAnswersOptions> = {}): KvmAnswers {
			return new KvmAnswers({
				path,
				bootId: 'boot-1',
				qemuVersion: '7.2',
				systemBinary: 'qemu',
				missing: async () => undefined,
				clock: () => host.now,
				probe: async variant => {
					host.tried.push(variant);
					if (host.answer instanceof Error) throw host.answer;
					return host.answer;
				},
				...change,
			});
		},
	};
	return host;
}

test('`ask` tries each variant once, and the answer is there for the next process', async t => {
	const host = await prepare(t);
	assert.deepEqual(await host.asked().ask(bios), { works: true, reason: 'ran' });
	host.answer = { works: false, reason: 'died', lasting: true };
	const second = host.asked();
	assert.deepEqual(await second.ask(efi), { works: false, reason: 'died' });
	assert.deepEqual(await second.ask(windows), { works: false, reason: 'died' });
	assert.deepEqual(host.tried, [bios, efi, windows]);
	const third = host.asked();
	for (const [variant, works] of [
		[bios, true],
		[efi, false],
		[windows, false],
	] as const)
		assert.equal((await third.ask(variant)).works, works);
	assert.equal(host.tried.length, 3);
});

test('`ask` tries anew after a boot, for another QEMU and for another binary', async t => {
	const host = await prepare(t);
	await host.asked().ask(bios);
	for (const change of [{ qemuVersion: '8.0' }, { systemBinary: '/opt/qemu' }, { bootId: 'boot-2' }])
		await host.asked(change).ask(bios);
	assert.equal(host.tried.length, 4);
	// What was true before the boot is gone from the file.
	const kept = z.object({ answers: z.array(z.object({ bootId: z.string() })) });
	const { answers } = kept.parse(JSON.parse(await readFile(host.path, 'utf8')));
	assert.deepEqual(answers, [{ bootId: 'boot-2' }]);
});

test('of several who `ask` at once, one tries', async t => {
	const host = await prepare(t);
	const answers = host.asked();
	await Promise.all([answers.ask(bios), answers.ask(bios), answers.ask(bios)]);
	assert.equal(host.tried.length, 1);
});

test('a file that cannot be read counts as none, and is replaced', async t => {
	const host = await prepare(t);
	await host.asked().ask(bios);
	const whole = await readFile(host.path, 'utf8');
	for (const damage of ['', '{"version":1', 'null', '{"version":1,"answers":[{"works":true}]}', '{"version":2}']) {
		await writeFile(host.path, damage);
		host.tried = [];
		assert.equal((await host.asked().ask(bios)).works, true);
		assert.equal(host.tried.length, 1, damage);
		assert.equal(await readFile(host.path, 'utf8'), whole);
	}
});

test('where the file cannot be written the answer is kept by the process', async t => {
	const host = await prepare(t);
	await mkdir(host.path, { recursive: true }); // a directory in its place
	const answers = host.asked();
	await answers.ask(bios);
	assert.equal((await answers.ask(bios)).works, true);
	assert.equal(host.tried.length, 1);
});

test('an answer that the load may have made counts for ten minutes, and for this process', async t => {
	const host = await prepare(t);
	host.answer = { works: false, reason: 'got nowhere', lasting: false };
	const answers = host.asked();
	await answers.ask(bios);
	host.now += 9 * 60_000;
	assert.equal((await answers.ask(bios)).works, false);
	assert.equal(host.tried.length, 1);
	host.answer = { works: true, reason: 'ran', lasting: true };
	host.now += 60_000;
	assert.equal((await answers.ask(bios)).works, true);
	assert.equal(host.tried.length, 2);
});

test('a trial that fails by itself is no answer', async t => {
	const host = await prepare(t);
	const answers = host.asked();
	host.answer = new Error('killed');
	await assert.rejects(answers.ask(bios), /killed/);
	host.answer = { works: true, reason: 'ran', lasting: true };
	assert.equal((await answers.ask(bios)).works, true);
});

test('`known` tries nothing', async t => {
	const host = await prepare(t);
	const answers = host.asked();
	assert.equal(await answers.known(bios), undefined);
	await answers.ask(bios);
	assert.equal((await answers.known(bios))?.works, true);
	assert.equal((await host.asked().known(bios))?.works, true);
	assert.equal(host.tried.length, 1);
});

test('without a device nothing is tried or kept: it may be there at the next look', async t => {
	const host = await prepare(t);
	let missing: string | undefined = 'no KVM';
	const answers = host.asked({ missing: async () => missing });
	assert.deepEqual(await answers.ask(bios), { works: false, reason: 'no KVM' });
	missing = undefined;
	assert.equal((await answers.ask(bios)).works, true);
});

test('`missingKvm` tells a device that is not there from one that may not be opened', async t => {
	const device = join(await temporaryDirectory(t), 'kvm');
	assert.match((await missingKvm(device)) ?? '', /is not there/);
	await writeFile(device, '');
	assert.equal(await missingKvm(device), undefined);
	if (process.getuid?.() === 0) return; // root may open everything
	await chmod(device, 0);
	assert.match((await missingKvm(device)) ?? '', /may not be opened by this user/);
});
