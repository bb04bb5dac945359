import { InvalidArgumentError } from '@commander-js/extra-typings';
import type { Broker } from '../../client/broker.ts';
import { reporterSchema, resourceSchema } from '../../model/broker.ts';
import { RouseError } from '../../model/errors.ts';
import { resourcesText, viewText } from '../broker/view-text.ts';
import { requireConfirmation } from '../recover/orders.ts';
import { withSession } from '../recover/session.ts';
import { type Context, command } from '../terminal/command.ts';
import { parsePriority } from '../terminal/parse.ts';
import { parseSince, parseTime } from '../terminal/parse-time.ts';
import { linesOf } from './audit.ts';

/** What shares out the site's hosts and repositories among recoveries, and turns among imports. */
export const build = (context: Context) => {
	const broker = command('broker').description(
		'what shares out hosts and repositories among recoveries: who holds what, who waits for what, and orders to it',
	);
	for (const verb of [
		show(context),
		set(context),
		prioritize(context),
		release(context),
		forget(context),
		audit(context),
	])
		broker.addCommand(verb);
	return broker;
};

const reasonOption = ['--reason <text>', 'why, for the audit'] as const;

function withBroker(context: Context, work: (broker: Broker) => Promise<void>): Promise<void> {
	return withSession(context, session => work(session.broker));
}

const show = (context: Context) =>
	command('show')
		.description(
			'how much there is of what, who holds it, and of each request that waits: for what, its place and start',
		)
		.action(() =>
			withBroker(context, async broker => {
				const view = await broker.view();
				context.output.result(view, viewText(view, context.output.columns));
			}),
		);

const set = (context: Context) =>
	command('set')
		.description('say how much there is of a resource, whatever is reported; `default` takes that back')
		.argument('<resource>', 'as host/kvm1/migrations or repository/main/mounts', parseResource)
		.argument('<number>', 'how much, or default', parseTotal)
		.option(...reasonOption)
		.action((resource, total, { reason }) =>
			withBroker(context, async broker => {
				await broker.setTotal({ resource, total, ...whyOf(reason) });
				const { resources } = await broker.view();
				const now = resources.filter(found => found.resource === resource);
				if (now.every(({ capacity, held }) => capacity === null && held === 0))
					context.output.warn(`nobody reports ${resource}, and nobody holds any of it`);
				context.output.result(now[0] ?? { resource, set: null }, resourcesText(now, context.output.columns));
			}),
		);

const prioritize = (context: Context) =>
	command('prioritize')
		.description('change the priority or the deadline of a request that waits; its age stays')
		.argument('<request>', 'RECOVERY/STEP, MACHINE/import or the whole id, as `rouse broker show` has it')
		.option('--priority <1-5>', '1 goes first, 5 last', parsePriority)
		.option('--by <time>', 'its deadline, among equal priorities the earliest goes first; or none', parseDeadline)
		.option(...reasonOption)
		.action((request, { priority, by, reason }) => {
			if (priority === undefined && by === undefined)
				throw new RouseError('usage', 'nothing to change', { hint: 'say --priority or --by' });
			const change = {
				...(priority === undefined ? {} : { priority }),
				...(by === undefined ? {} : { deadlineMs: by === 'none' ? null : Date.parse(by) }),
			};
			return withBroker(context, async broker => {
				const requestId = await broker.requestId(request);
				await broker.prioritize({ requestId, ...change, ...whyOf(reason) });
				context.output.result({ requestId, ...change }, `${request}: changed. Its place: rouse broker show`);
			});
		});

const release = (context: Context) =>
	command('release')
		.description('take a lease, or a place in the queue, away by force: what was started with it may still run')
		.argument('<request>', 'RECOVERY/STEP, MACHINE/import or the whole id, as `rouse broker show` has it')
		.requiredOption('--reason <text>', 'why, for the audit')
		.requiredOption('--confirm <request>', 'the request again')
		.action((request, { reason, confirm }) => {
			requireConfirmation(request, confirm, 'others may be given what its machine still takes up');
			return withBroker(context, async broker => {
				const requestId = await broker.requestId(request);
				await broker.forceRelease({ requestId, reason });
				context.output.result({ requestId, released: true }, `${request}: released`);
			});
		});

const forget = (context: Context) =>
	command('forget')
		.description('a host or repository that is no longer one of the site: nobody waits for its reports')
		.argument('<reporter>', 'as host/kvm1 or repository/main', parseReporter)
		.option(...reasonOption)
		.action((reporter, { reason }) =>
			withBroker(context, async broker => {
				await broker.forget({ reporter, ...whyOf(reason) });
				context.output.result({ reporter, forgotten: true }, `${reporter}: forgotten, until it reports again`);
			}),
		);

const audit = (context: Context) =>
	command('audit')
		.description('what was ordered, by whom and why, and who was granted what')
		.option('--since <time>', 'from then on: 2h, 7d or 2026-11-20T03:00:00Z (default: 1d)', text => parseSince(text))
		.action(({ since = parseSince('1d') }) =>
			withBroker(context, async broker => {
				const entries = await broker.audit(Date.parse(since));
				const lines =
					entries.length === 0 ? ['Nothing was ordered or granted since then.'] : linesOf(entries, since, 'then');
				context.output.result({ since, entries }, lines.join('\n'));
			}),
		);

function whyOf(reason: string | undefined): { reason?: string } {
	return reason === undefined ? {} : { reason };
}

function parseResource(text: string): string {
	if (resourceSchema.safeParse(text).success) return text;
	throw new InvalidArgumentError(`"${text}" is no resource: write host/kvm1/migrations or repository/main/mounts.`);
}

function parseReporter(text: string): string {
	if (reporterSchema.safeParse(text).success) return text;
	throw new InvalidArgumentError(`"${text}": write host/kvm1 or repository/main.`);
}

/** Null for `default`. */
function parseTotal(text: string): number | null {
	if (text === 'default') return null;
	const total = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
	if (Number.isSafeInteger(total)) return total;
	throw new InvalidArgumentError(`"${text}": write a whole number, or default.`);
}

function parseDeadline(text: string): string {
	return text === 'none' ? text : parseTime(text);
}
