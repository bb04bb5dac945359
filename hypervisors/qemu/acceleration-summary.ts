import { asRouseError } from '../../model/errors.ts';
import {
	accelerationFor,
	type AcceleratorSetting,
	emulated,
	type KvmAnswer,
	machinesOf,
	type Variant,
	variants,
} from './acceleration.ts';
import type { KvmAnswers } from './kvm-answers.ts';

export interface AccelerationSummary {
	/** `kvm` or `tcg`, or `mixed`: some kinds of machines are emulated. */
	accelerator: string;
	warnings: readonly string[];
}

/** Of all kinds of machines whose answer is there; only BIOS machines are tried for it, since that takes no time. */
export async function summarise(
	setting: AcceleratorSetting,
	kvm: Pick<KvmAnswers, 'ask' | 'known' | 'missing'>,
): Promise<AccelerationSummary> {
	if (setting === 'tcg') return { accelerator: 'tcg', warnings: [] };
	const missing = await kvm.missing();
	if (missing !== undefined && setting === 'auto')
		return { accelerator: 'tcg', warnings: emulated('machines are', missing).warnings };
	const bios: KvmAnswer = await kvm.ask({ firmware: 'bios', enlightenments: false });
	const efi = await kvm.known({ firmware: 'efi', enlightenments: false });
	const plain = { bios, efi };
	const accelerators = new Set<string>();
	const warnings: string[] = [];
	/** Which are emulated, by the reason: most often that is one for all of them. */
	const slow = new Map<string, Variant[]>();
	for (const variant of variants) {
		const below = plain[variant.firmware];
		const whole = variant.enlightenments ? await kvm.known(variant) : below;
		// One that falls back to what nobody has tried says nothing yet.
		if (whole === undefined || (!whole.works && below === undefined)) continue;
		try {
			const answer = await accelerationFor(variant, setting, async ({ enlightenments }) =>
				enlightenments ? whole : (below ?? whole),
			);
			accelerators.add(answer.accelerator);
			if (answer.accelerator === 'tcg') slow.set(answer.reason, [...(slow.get(answer.reason) ?? []), variant]);
			else warnings.push(...answer.warnings);
		} catch (thrown) {
			const error = asRouseError(thrown);
			if (error.code !== 'precheck_failed') throw thrown;
			warnings.push(error.message);
		}
	}
	for (const [reason, kinds] of slow) warnings.push(...emulated(`${subjectOf(kinds)} are`, reason).warnings);
	if (setting === 'kvm') return { accelerator: 'kvm', warnings };
	return { accelerator: accelerators.size === 1 ? [...accelerators].join() : 'mixed', warnings };
}

function subjectOf(kinds: readonly Variant[]): string {
	if (kinds.length === variants.length) return 'machines';
	return new Intl.ListFormat('en').format(kinds.map(machinesOf));
}
