import { randomUUID } from 'node:crypto';
import { formatBytes } from '../../../model/format-bytes.ts';
import { childStepsOf } from '../../../sources/machine-child/children.ts';
import { unknownOf } from '../../../sources/machine/config.ts';
import type { ImportOrder } from '../../../sources/machine/order.ts';
import { homeDirectory, loadConfig, openInstallation } from '../../../system/installation.ts';
import { terminalLine } from '../../../system/terminal-text.ts';
import { type Context, command } from '../../terminal/command.ts';
import { parseName } from '../../terminal/parse.ts';
import { sourceMeant } from './meant.ts';
import { diskLine } from './text.ts';

/** Needs no services: it asks the platform from here, and changes nothing. */
export const buildPlan = (context: Context) =>
	command('plan')
		.description('what a backup from a source would read, from which base, and what it would cost; changes nothing')
		.argument('<source>', 'its name under sources of config.yaml', parseName)
		.action(async source => {
			const installation = await openInstallation(homeDirectory(context.env));
			const config = await loadConfig(installation);
			const { machine, places } = await sourceMeant(context, source, config);
			const steps = childStepsOf(installation);
			const order = await steps.plan(places, { importId: randomUUID(), machine }, context.signal);
			const answer = planAnswer(source, places.repository, order);
			for (const warning of answer.warnings) context.output.warn(warning);
			context.output.result(answer, planText(answer));
		});

function planAnswer(source: string, repository: string, order: ImportOrder) {
	const { machine, described, plan, base, spec } = order;
	const { kind, uri, identity, name, leftOut } = described;
	return {
		source,
		machine,
		repository,
		kind,
		uri,
		identity,
		name,
		consistency: plan.consistency,
		cost: plan.cost,
		spool: plan.spool ?? null,
		base: base?.restorePoint ?? null,
		disks: described.disks.map(({ key, sizeBytes }, number) => ({
			key,
			sizeBytes,
			reads: plan.disks[number]?.reads ?? ('all' as const),
			why: plan.disks[number]?.why ?? null,
			expectedBytes: plan.disks[number]?.expectedBytes ?? null,
		})),
		leftOut,
		/** What nobody knows of the machine, and is assumed. */
		assumed: unknownOf({ machine, spec, described }),
		warnings: plan.warnings,
	};
}

function planText(answer: ReturnType<typeof planAnswer>): string {
	const { machine, name, kind, uri, base, consistency, cost, spool, leftOut, assumed, source } = answer;
	return [
		`${machine}: ${name} (${kind}, ${uri})`,
		`Base         ${base === null ? 'none: all of it is read' : `${machine}@${base}`}`,
		`Consistency  ${consistency}`,
		...answer.disks.map(({ expectedBytes, ...disk }, number) => {
			const much = expectedBytes === null ? '' : `, about ${formatBytes(expectedBytes)}`;
			return `disk${number}        ${diskLine(disk)}${much}`;
		}),
		...leftOut.map(({ what, why }) => `left out     ${what}: ${why}`),
		...(assumed.length === 0 ? [] : [`assumed      ${assumed.join(', ')}: say it under spec`]),
		...(cost === null ? [] : [`Cost         ${cost}`]),
		...(spool === null ? [] : [`Spool        ${spool}`]),
		`Next: rouse backup start ${source}`,
	]
		.map(terminalLine)
		.join('\n');
}
