import { Argument, Option } from '@commander-js/extra-typings';
import { readDocument } from '../../client/documents.ts';
import type { Why } from '../../client/orders.ts';
import type { RecoveryGlance } from '../../client/summaries.ts';
import { RouseError } from '../../model/errors.ts';
import type { Phase, Policy } from '../../model/recovery.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseBytes, parseName } from '../terminal/parse.ts';
import { recoveryAnswer } from './answer.ts';
import { untilTaken } from './order-taken.ts';
import { type Session, withSession } from './session.ts';
import { fullText } from './text.ts';
import { waitForPhase } from './wait.ts';

/** Orders to a running recovery: each is an Update of its workflow, recorded with who gave it and why. */
export const buildOrders = (context: Context) => [
	migrate(context),
	switchOver(context),
	policy(context),
	power(context),
	discard(context),
	abandon(context),
	retry(context),
];

const reasonOption = ['--reason <text>', 'why, for the audit'] as const;

interface Given {
	reason?: string | undefined;
}

/**
 * Gives the order unless it is `until` already, waits for that if a phase is named, else until the order has moved it, and
 * says what is the case then. Not every order moves something: a policy changes with its answer, power before it.
 */
async function order(
	context: Context,
	name: string,
	{ reason }: Given,
	give: (session: Session, why: Why) => Promise<unknown>,
	{ until, moves = () => false }: { until?: Phase | undefined; moves?: (before: RecoveryGlance) => boolean } = {},
): Promise<void> {
	const why: Why = reason === undefined ? {} : { reason };
	await withSession(context, async session => {
		const before = await session.recoveries.peek(name);
		if (before.phase !== until) {
			await give(session, why);
			if (until) await waitForPhase(session, name, until, context);
			else if (moves(before)) await untilTaken(session.recoveries, name, { before, signal: context.signal });
		}
		const answer = recoveryAnswer(await readDocument(session, name));
		context.output.result(answer, fullText(answer));
	});
}

const waitOption = (phases: readonly Phase[]) =>
	new Option('--wait <phase>', 'return only in this phase (default: at once)').choices(phases);

const migrate = (context: Context) =>
	command('migrate')
		.description('copy the disks to the host in the background, to keep the machine')
		.argument('<name>', 'recovery', parseName)
		.option(...reasonOption)
		.addOption(waitOption(['migrated', 'finished']))
		.action((name, options) =>
			order(context, name, options, (s, why) => s.orders.migrate(name, why), {
				until: phaseOf(options.wait),
				moves: ({ phase, status }) => phase === 'running' && !status?.parked,
			}),
		);

const switchOver = (context: Context) =>
	command('switch')
		.description('switch the machine to its local disks, once all is local')
		.argument('<name>', 'recovery', parseName)
		.option(...reasonOption)
		.addOption(waitOption(['finished']))
		.action((name, options) =>
			order(context, name, options, (s, why) => s.orders.switch(name, why), {
				until: phaseOf(options.wait),
				moves: ({ phase, status }) => phase === 'migrated' && !status?.parked,
			}),
		);

const policy = (context: Context) =>
	command('policy')
		.description('change what it does by itself, and how fast it migrates')
		.argument('<name>', 'recovery', parseName)
		.option('--max-rate <bytes>', 'limit of the migration per second, as 20MiB; 0 is none', parseBytes)
		.addOption(
			new Option('--switch <when>', 'to its own disks by itself, once all is local, or when told').choices([
				'auto',
				'manual',
			] as const),
		)
		.addOption(new Option('--finish <how>', 'migrate by itself, or when told').choices(['manual', 'migrate'] as const))
		.option(...reasonOption)
		.action((name, options) => {
			const change: Partial<Policy> = {
				...(options.maxRate === undefined ? {} : { maxRateBytes: options.maxRate }),
				...(options.switch === undefined ? {} : { switch: options.switch }),
				...(options.finish === undefined ? {} : { finish: options.finish }),
			};
			if (Object.keys(change).length === 0)
				throw new RouseError('usage', 'nothing to change', { hint: 'say --max-rate, --switch or --finish' });
			return order(context, name, options, (s, why) => s.orders.setPolicy(name, { ...why, policy: change }));
		});

const power = (context: Context) =>
	command('power')
		.description('power of the machine: on, off (pulls the plug), shutdown (asks the guest), reset')
		.argument('<name>', 'recovery', parseName)
		.addArgument(new Argument('<action>').choices(['on', 'off', 'shutdown', 'reset'] as const))
		.option(...reasonOption)
		.action(async (name, action, options) => {
			await order(context, name, options, (s, why) => s.orders.power(name, { ...why, action }));
			if (action === 'shutdown')
				context.output.message(
					`The guest of ${name} was asked to shut down. If it does not listen: rouse recover power ${name} off`,
				);
		});

const discard = (context: Context) =>
	command('discard')
		.description('throw the machine and all that its guest wrote away, for good')
		.argument('<name>', 'recovery', parseName)
		.requiredOption('--confirm <name>', 'the name again: there is no way back')
		.option(...reasonOption)
		.action((name, options) => {
			requireConfirmation(name, options.confirm);
			const give = (s: Session, why: Why) => s.orders.discard(name, { ...why, confirm: options.confirm });
			return order(context, name, options, give, { until: 'discarded' });
		});

const abandon = (context: Context) =>
	command('abandon')
		.description('give up a host that is gone for good: what it has stays there, and its machine is not started again')
		.argument('<name>', 'recovery', parseName)
		.requiredOption('--confirm <name>', 'the name again: what its guest wrote is on that host alone')
		.option(...reasonOption)
		.action((name, options) => {
			requireConfirmation(name, options.confirm, 'what its guest wrote is on that host alone');
			const give = (s: Session, why: Why) => s.orders.abandon(name, { ...why, confirm: options.confirm });
			return order(context, name, options, give, { until: 'abandoned' });
		});

const retry = (context: Context) =>
	command('retry')
		.description('go on with a parked recovery, after what parked it was repaired')
		.argument('<name>', 'recovery', parseName)
		.option(...reasonOption)
		.action((name, options) =>
			order(context, name, options, (s, why) => s.orders.retry(name, why), {
				moves: ({ status }) => Boolean(status?.parked),
			}),
		);

/** What cannot be undone wants the name typed twice. */
export function requireConfirmation(name: string, confirm: string, what = 'what is removed is gone for good'): void {
	if (confirm === name) return;
	throw new RouseError('usage', `--confirm says "${confirm}", the name is "${name}"`, {
		hint: `${what}; if that is meant: --confirm ${name}`,
	});
}

function phaseOf(text: string | undefined): Phase | undefined {
	return text === 'migrated' || text === 'finished' ? text : undefined;
}
