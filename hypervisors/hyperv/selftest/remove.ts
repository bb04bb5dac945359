import { rm } from 'node:fs/promises';
import { asRouseError } from '../../../model/errors.ts';
import { exists } from '../../../system/if-there.ts';
import { stopTarget } from '../iscsi/target.ts';
import type { Trial } from './trial.ts';

/**
 * Removes all that a machine of a self test has, whatever kind of overlay that has, also when it died in the midst of it. Returns
 * what could not be removed, in words; then the test's record must stay, and the next self test tries again. MAY find nothing.
 */
export async function removeAll(trial: Trial): Promise<string[]> {
	const left: string[] = [];
	const attempt = async (what: string, work: () => Promise<void>) => {
		try {
			await work();
		} catch (error) {
			left.push(`${what}: ${asRouseError(error).message}`);
		}
	};
	const { machine, server, parts, definition } = trial;
	for (const disk of server.disks) disk.release();
	const wasBegun = (await exists(parts.paths.targetRecord)) || (await exists(parts.paths.record));
	// First: it has its disks open, and through them the volume.
	await attempt('the machine', () => machine.remove());
	await attempt('its disks', () => machine.removeTargets());
	if (wasBegun) await attempt('the host', () => expectNothing(trial));
	await attempt('what served it', () => server.stop());
	await attempt('its iSCSI target', () => stopTarget({ directory: parts.paths.iscsi }));
	if (left.length > 0) return left;
	await attempt('files here', async () => {
		await rm(definition.directory, { recursive: true, force: true });
		await rm(definition.runDirectory, { recursive: true, force: true });
	});
	return left;
}

/** Asks the host itself, whatever our records say. */
async function expectNothing({ settings, definition, parts, strays }: Trial): Promise<void> {
	const { driver, appliance } = settings;
	const { recoveryId } = definition;
	const { windows } = parts.paths;
	const { directory } = windows;
	const overlays = definition.disks.map(disk => windows.overlay(disk));
	// Whatever kind of overlay the test had that has left it.
	const targets = definition.disks.flatMap(disk => [windows.target(disk), windows.place(disk), windows.kept(disk)]);
	await driver.ask('remove-machine', { recoveryId, overlays: [...overlays, ...strays], directory });
	await driver.ask('remove-targets', { recoveryId, appliance, paths: targets, directory });
}
