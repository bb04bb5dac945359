import { asRouseError, RouseError } from '../../model/errors.ts';
import { withdrawHost } from '../../repository/service/admitted-hosts.ts';
import { removeHostId } from '../../system/configured-hosts.ts';
import { type Installation, loadConfig } from '../../system/installation.ts';
import type { Context } from '../terminal/command.ts';
import { withSession } from '../recover/session.ts';
import { giveUpOwed, owedText } from './owed-undos.ts';
import type { RemovalOptions } from './removal-options.ts';

/**
 * Takes a host of another machine out of this installation: its certificate opens nothing any more, and config.yaml has it no
 * longer. Its machines, finished ones too, stay where they are. False where config.yaml has none of this name.
 * Throws `phase_wrong` while recoveries there are not over, unless it is only to be forgotten.
 */
export async function removeInvited(
	context: Context,
	installation: Installation,
	name: string,
	{ dryRun = false, forget = false, identity, reason }: RemovalOptions,
): Promise<boolean> {
	const { hosts } = await loadConfig(installation);
	if (!Object.hasOwn(hosts, name)) return false;
	if (identity !== undefined)
		throw new RouseError('usage', `--identity is of a host that was added here, and ${name} was invited`);
	if (!forget) await mustBeIdle(context, name);
	// In this order: cut off between, the command is given again by the name that config.yaml still has.
	const steps = [`the certificate of ${name}`, 'its name in config.yaml'];
	if (!dryRun) {
		await withdrawInvited(context, installation, name, { reason });
	}
	const text = dryRun
		? `Would be removed:\n  ${steps.join('\n  ')}`
		: `${name}: removed; there: rouse down. Recoveries of it that were left open: rouse recover abandon`;
	context.output.result({ name, removed: !dryRun, dryRun, steps }, text);
	return true;
}

/** What `host invite` gave it, what recoveries and the broker know of it. Again changes nothing. */
export async function withdrawInvited(
	context: Context,
	installation: Installation,
	name: string,
	why: Pick<RemovalOptions, 'reason'>,
): Promise<void> {
	await withdrawHost(installation.home, name);
	await giveUpOwed(context, name, why);
	await removeHostId(installation, name);
	await forgetByBroker(context, name, why);
}

/** What it reported, and what a person set of it. */
async function forgetByBroker(
	context: Context,
	name: string,
	{ reason }: Pick<RemovalOptions, 'reason'>,
): Promise<void> {
	const reporter = `host/${name}`;
	await withSession(context, ({ broker }) =>
		broker.forget({ reporter, ...(reason === undefined ? {} : { reason }) }),
	).catch((thrown: unknown) => {
		context.signal.throwIfAborted();
		const { message } = asRouseError(thrown);
		context.output.warn(`the broker was not told that ${name} is gone (${message}): rouse broker forget ${reporter}`);
	});
}

export async function mustBeIdle(context: Context, name: string): Promise<void> {
	const { open, owed } = await withSession(context, async ({ recoveries, owedUndos }) => ({
		open: await recoveries.openOn(name),
		owed: await owedUndos.list(name),
	}));
	if (open.length === 0 && owed.length === 0) return;
	if (open.length === 0)
		throw new RouseError('phase_wrong', `${owedText(name, owed)} is not undone there yet: it has not answered since`, {
			hint: `start its services; if ${name} is gone for good: --forget`,
		});
	throw new RouseError('phase_wrong', `recoveries on ${name} are not over: ${open.join(', ')}`, {
		hint: `finish or discard them; if ${name} is gone for good: --forget, then rouse recover abandon for each`,
	});
}
