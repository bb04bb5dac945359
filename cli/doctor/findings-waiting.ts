/** Findings about recoveries and machines that do not go on by themselves. */
import { machineStepText, nextText, sourceText } from '../recover/next-text.ts';
import type { Facts } from './facts.ts';
import type { Finding } from './finding.ts';

/** A recovery is told of once: by its workflow where that is known, else by its host. */
export function waitingFindings({ workflows = [], views }: Facts): Finding[] {
	const open = workflows.filter(({ status }) => status === 'RUNNING');
	const told = new Set(open.filter(({ parked }) => parked).map(({ recoveryId }) => recoveryId));
	const parked = [
		...open,
		...views.filter(({ recoveryId }) => !told.has(recoveryId)).map(({ name, blocked }) => ({ name, parked: blocked })),
	];
	const alive = views.filter(({ state }) => state !== 'discarded');
	return [
		...parked.flatMap(({ name, parked: why }): Finding[] => (why ? [parkedFinding(name, why)] : [])),
		...alive.flatMap(({ name, stalled, blocked }): Finding[] =>
			stalled && !blocked
				? [
						{
							code: 'recovery_stalled',
							subject: name,
							explanation: `${name} is stalled: ${stalled.reason}; what was written is safe`,
							command: sourceText,
						},
					]
				: [],
		),
		...alive
			.filter(({ state, power }) => state === 'finished' && power === 'crashed')
			.map(
				({ name, power }): Finding => ({
					code: 'machine_crashed',
					subject: name,
					explanation: `the guest of ${name} has crashed; what it had written is kept`,
					command: machineStepText(name, power),
				}),
			),
	];
}

function parkedFinding(name: string, { code, reason, next }: NonNullable<Parked>): Finding {
	return {
		code: 'recovery_parked',
		subject: name,
		explanation: `${name} is parked: ${reason}`,
		command: nextText(next, code, { name }),
	};
}

type Parked = Facts['views'][number]['blocked'];
