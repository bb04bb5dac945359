/** What a host that was left may have of recoveries, where the host is taken out of the installation. */
import type { OwedUndo } from '../../client/owed-undos.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { homeDirectory, loadConfig, openInstallation } from '../../system/installation.ts';
import { withSession } from '../recover/session.ts';
import type { Context } from '../terminal/command.ts';
import type { RemovalOptions } from './removal-options.ts';

/** Nobody waits for the host any more. When that cannot be said now, it is told how it can be later. */
export async function giveUpOwed(
	context: Context,
	name: string,
	{ reason }: Pick<RemovalOptions, 'reason'>,
): Promise<OwedUndo[]> {
	try {
		return await withSession(context, ({ owedUndos }) =>
			owedUndos.giveUp(name, reason === undefined ? {} : { reason }),
		);
	} catch (thrown) {
		context.signal.throwIfAborted();
		const { message } = asRouseError(thrown);
		context.output.warn(
			`what ${name} may have of recoveries that have left it is still waited for (${message}): rouse host remove ${name} --forget --confirm ${name}`,
		);
		return [];
	}
}

/** Of a host that nothing here knows any more but recoveries that have left it. False where there are none. */
export async function removeOwed(context: Context, name: string, options: RemovalOptions): Promise<boolean> {
	const { dryRun = false, forget = false, reason } = options;
	if (!forget) return false;
	const { host } = await loadConfig(await openInstallation(homeDirectory(context.env)));
	if (name === host.name)
		throw new RouseError('phase_wrong', `${name} is the host of this installation: it is not gone`, {
			hint: 'what it may have of recoveries that have left it is undone when its services run: rouse up --detach',
		});
	const owed = await withSession(context, ({ owedUndos }) =>
		dryRun ? owedUndos.list(name) : owedUndos.giveUp(name, reason === undefined ? {} : { reason }),
	);
	if (owed.length === 0) return false;
	const steps = [owedText(name, owed)];
	const text = dryRun ? `Would be given up:\n  ${steps[0]}` : `${name}: given up: ${steps[0]}`;
	context.output.result({ name, removed: !dryRun, dryRun, steps }, text);
	return true;
}

export function owedText(name: string, owed: readonly OwedUndo[]): string {
	const recoveries = [...new Set(owed.map(({ recovery }) => recovery))].join(', ');
	return `what ${name} may have of ${recoveries}`;
}
