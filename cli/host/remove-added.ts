import { readHostRecord } from '../../hypervisors/hyperv/host-setup/record.ts';
import { type Installation, places } from '../../system/installation.ts';
import { join } from 'node:path';
import type { Context } from '../terminal/command.ts';
import { removeLinux } from './add-linux.ts';
import { giveUpOwed } from './owed-undos.ts';
import { readLinuxHost } from './linux/record.ts';
import type { RemovalOptions } from './removal-options.ts';
import { showing } from './showing.ts';

/** Undoes `host add`; false where no host of this name was added here. */
export async function removeAdded(
	context: Context,
	installation: Installation,
	name: string,
	options: RemovalOptions,
): Promise<boolean> {
	const directory = join(places.hosts(installation.home), name);
	const linux = await readLinuxHost(directory);
	if (linux) return await removeLinux(context, installation, linux, options);
	if ((await readHostRecord(directory)) === undefined) return false;
	const { setupParts } = await import('./setup-parts.ts');
	const { removeHost } = await import('../../hypervisors/hyperv/host-setup/remove.ts');
	const { dryRun = false, forget = false } = options;
	await showing(context.output, async tell => {
		const made = setupParts(context, installation, name, { ...options, tell });
		const withdraw: typeof made.withdraw = async host => {
			await giveUpOwed(context, name, options);
			await made.withdraw(host);
		};
		const parts = { ...made, withdraw };
		const steps = await removeHost(parts, { dryRun, forget });
		const done = forget ? 'forgotten here; on the host nothing was touched' : 'removed';
		const text = dryRun ? `Would be removed:\n  ${steps.join('\n  ')}` : `${name}: ${done}`;
		context.output.result({ name, removed: !dryRun, dryRun, steps }, text);
	});
	return true;
}
