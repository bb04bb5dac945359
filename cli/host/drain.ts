import { idElsewhere } from '../../client/requests.ts';
import { type Context, command } from '../terminal/command.ts';
import { withSession } from '../recover/session.ts';
import { parseName } from '../terminal/parse.ts';

/** `host/kvm2/recoveries`: every recovery takes one before it has its place. */
const slotsOf = (host: string) => `host/${host}/recoveries`;

export const drain = (context: Context) =>
	command('drain')
		.description('let no new recovery begin on a host, by an order to the broker; what is there goes on')
		.argument('<host>', 'its name', parseName)
		.option('--end', 'take that back')
		.option('--reason <text>', 'why, for the audit')
		.addHelpText('after', '\nExample:  rouse host drain kvm2 --reason "new memory"')
		.action((name, { end = false, reason }) =>
			withSession(context, async ({ broker, config, recoveries }) => {
				idElsewhere(config, name); // a name that nobody has would be kept by the broker for good
				const order = { resource: slotsOf(name), total: end ? null : 0, ...(reason === undefined ? {} : { reason }) };
				await broker.setTotal(order);
				const open = await recoveries.openOn(name);
				const there = open.length === 0 ? 'none is there' : `still there: ${open.join(', ')}`;
				const text = end
					? `${name} takes recoveries again.`
					: `${name} takes no new recovery; ${there}. Back: rouse host drain ${name} --end`;
				context.output.result({ name, drained: !end, open }, text);
			}),
		);
