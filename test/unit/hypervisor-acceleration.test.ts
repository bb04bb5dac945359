import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
	accelerationFor,
	cpuModel,
	type KvmAnswer,
	type Variant,
	variantOf,
	variants,
} from '../../hypervisors/qemu/acceleration.ts';
import { summarise } from '../../hypervisors/qemu/acceleration-summary.ts';

const nameOf = ({ firmware, enlightenments }: Variant) => `${firmware}${enlightenments ? ' windows' : ''}`;

/** A KVM that runs the kinds that are named, and what it was asked. */
function kvmThatRuns(...names: string[]) {
	const asked: string[] = [];
	const ask = async (variant: Variant): Promise<KvmAnswer> => {
		asked.push(nameOf(variant));
		const works = names.includes(nameOf(variant));
		return { works, reason: `${nameOf(variant)} ${works ? 'ran' : 'died'}` };
	};
	return { asked, ask };
}

const efi: Variant = { firmware: 'efi', enlightenments: false };
const windows: Variant = { firmware: 'bios', enlightenments: true };

test('a machine is of the variant that its firmware and its operating system make', () => {
	assert.deepEqual(variantOf({ firmware: 'efi', os: 'linux' }), efi);
	assert.deepEqual(variantOf({ firmware: 'bios', os: 'windows' }), windows);
});

test('`auto` is KVM where KVM runs that very kind, and nothing else is asked', async () => {
	const { ask, asked } = kvmThatRuns('efi');
	assert.deepEqual(await accelerationFor(efi, 'auto', ask), {
		accelerator: 'kvm',
		enlightenments: false,
		reason: 'efi ran',
		warnings: [],
	});
	assert.deepEqual(asked, ['efi']);
	const whole = kvmThatRuns('bios windows');
	assert.equal((await accelerationFor(windows, 'auto', whole.ask)).enlightenments, true);
	assert.deepEqual(whole.asked, ['bios windows']);
});

test('`auto` is emulation, with a warning, where KVM runs other kinds only', async () => {
	const { ask } = kvmThatRuns('bios', 'bios windows', 'efi windows');
	const answer = await accelerationFor(efi, 'auto', ask);
	assert.deepEqual([answer.accelerator, answer.reason], ['tcg', 'efi died']);
	assert.deepEqual(answer.warnings, ['EFI machines are emulated (TCG), which is slow: efi died']);
});

test('enlightenments that fail are dropped before KVM is, with a warning', async () => {
	const { ask, asked } = kvmThatRuns('bios');
	const answer = await accelerationFor(windows, 'auto', ask);
	assert.deepEqual([answer.accelerator, answer.enlightenments], ['kvm', false]);
	assert.match(
		answer.warnings.join(),
		/Windows machines with BIOS .*without Hyper-V enlightenments: bios windows died/,
	);
	assert.deepEqual(asked, ['bios windows', 'bios']);
	const none = await accelerationFor(windows, 'auto', kvmThatRuns().ask);
	assert.deepEqual([none.accelerator, none.enlightenments, none.reason], ['tcg', false, 'bios died']);
});

test('a forced `kvm` never becomes emulation: it is refused with the reason and what to do', async () => {
	await assert.rejects(accelerationFor(efi, 'kvm', kvmThatRuns('bios').ask), {
		code: 'precheck_failed',
		message: /EFI machines .*efi died/,
		hint: /accelerator: auto/,
	});
	assert.equal((await accelerationFor(efi, 'kvm', kvmThatRuns('efi').ask)).accelerator, 'kvm');
	assert.equal((await accelerationFor(windows, 'kvm', kvmThatRuns('bios').ask)).enlightenments, false);
});

test('a forced `tcg` tries nothing, and warns of nothing that was asked for', async () => {
	const { ask, asked } = kvmThatRuns(...variants.map(nameOf));
	const answer = await accelerationFor(windows, 'tcg', ask);
	assert.deepEqual([answer.accelerator, answer.enlightenments, answer.warnings], ['tcg', false, []]);
	assert.deepEqual(asked, []);
});

test('enlightenments are on the command line under KVM alone', () => {
	assert.match(cpuModel({ accelerator: 'kvm', enlightenments: true }), /^host,.*\bhv_relaxed\b.*\bhv_vapic\b/);
	assert.equal(cpuModel({ accelerator: 'kvm', enlightenments: false }), 'host');
	assert.doesNotMatch(cpuModel({ accelerator: 'tcg', enlightenments: true }), /hv_/);
});

/** A host on which nobody has tried anything yet. */
function fresh(kvm: ReturnType<typeof kvmThatRuns>, missing?: string) {
	return { ask: kvm.ask, known: async () => undefined, missing: async () => missing };
}

test('the summary tries BIOS machines alone, and is one word', async () => {
	const good = kvmThatRuns('bios');
	assert.deepEqual(await summarise('auto', fresh(good)), { accelerator: 'kvm', warnings: [] });
	assert.deepEqual(good.asked, ['bios']);
	const bad = await summarise('auto', fresh(kvmThatRuns()));
	assert.deepEqual(bad, {
		accelerator: 'tcg',
		warnings: ['BIOS machines are emulated (TCG), which is slow: bios died'],
	});
});

test('the summary of a host that emulates some kinds is `mixed`, and says which', async () => {
	const kvm = kvmThatRuns('bios');
	const half = { ...fresh(kvm), known: async (variant: Variant) => kvm.ask(variant) };
	const { accelerator, warnings } = await summarise('auto', half);
	assert.equal(accelerator, 'mixed');
	assert.deepEqual(
		warnings.map(warning => /^(.*) (?:run|are)\b/.exec(warning)?.[1]),
		['Windows machines with BIOS', 'EFI machines and Windows machines with EFI'],
	);
});

test('the summary of a host whose KVM runs nothing says so once, as long as the reason is one', async () => {
	const known = async () => ({ works: false, reason: 'died' });
	const { accelerator, warnings } = await summarise('auto', { ask: known, known, missing: async () => undefined });
	assert.deepEqual([accelerator, warnings], ['tcg', ['machines are emulated (TCG), which is slow: died']]);
});

test('the summary is silent on enlightenments that failed until it is known what comes below them', async () => {
	const known = async (variant: Variant) =>
		nameOf(variant) === 'efi windows' ? { works: false, reason: 'died' } : undefined;
	const host = { ...fresh(kvmThatRuns('bios')), known };
	assert.deepEqual(await summarise('auto', host), { accelerator: 'kvm', warnings: [] });
});

test('the summary of a host without KVM says so once; forced, it says what cannot start', async () => {
	const none = fresh(kvmThatRuns(), '/dev/kvm is not there');
	assert.deepEqual(await summarise('auto', none), {
		accelerator: 'tcg',
		warnings: ['machines are emulated (TCG), which is slow: /dev/kvm is not there'],
	});
	const forced = await summarise('kvm', fresh(kvmThatRuns()));
	assert.equal(forced.accelerator, 'kvm');
	assert.match(forced.warnings.join(), /BIOS machines cannot run here.*bios died/);
	assert.deepEqual(await summarise('tcg', none), { accelerator: 'tcg', warnings: [] });
});
