import { asRouseError } from '../../model/errors.ts';
import { accelerationFor, type AcceleratorSetting, type KvmAnswer, variants } from './acceleration.ts';
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
		return { accelerator: 'tcg', warnings: [`machines are emulated (TCG), which is slow: ${missing}`] };
	const bios: KvmAnswer = await kvm.ask({ firmware: 'bios', enlightenments: false });
	const efi = await kvm.known({ firmware: 'efi', enlightenments: false });
	const plain = { bios, efi };
	const accelerators = new Set<string>();
	const warnings: string[] = [];
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
			warnings.push(...answer.warnings);
		} catch (thrown) {
			const error = asRouseError(thrown);
			if (error.code !== 'precheck_failed') throw thrown;
			warnings.push(error.message);
		}
	}
	if (setting === 'kvm') return { accelerator: 'kvm', warnings };
	return { accelerator: accelerators.size === 1 ? [...accelerators].join() : 'mixed', warnings };
}
