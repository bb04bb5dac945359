/** What happens to a simulated machine or its host without anybody asking for it. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineDefinition } from '../contract.ts';
import { bootHost } from './host-boot.ts';
import type { SimulatedHost } from './host.ts';
import { cutPower } from './power.ts';
import { namesIn } from '../../system/names-in.ts';

/** The machine ends as in a crash: what its guest did not flush is gone, and what it was about to be told. */
export function kill(host: SimulatedHost, definition: MachineDefinition): void {
	cutPower(host.partsOf(definition));
}

/** It answers nobody, and its guest does nothing, until `frozen` is false again. */
export function freeze(host: SimulatedHost, definition: MachineDefinition, frozen: boolean): void {
	host.partsOf(definition).running.alone((run, save) => {
		if (run) save({ ...run, frozen });
	});
}

/** The host is started anew: nothing runs, and run directories are empty. */
export async function reboot(host: SimulatedHost, definitions: readonly MachineDefinition[]): Promise<void> {
	for (const definition of definitions) {
		kill(host, definition);
		for (const name of await namesIn(definition.runDirectory))
			await rm(join(definition.runDirectory, name), { recursive: true, force: true });
	}
	await bootHost(host.settings.directory);
}

/** The file of a disk's target is gone. */
export async function loseTarget(host: SimulatedHost, definition: MachineDefinition, disk: number): Promise<void> {
	await rm(host.partsOf(definition).stacks[disk]?.targetPath ?? '', { force: true });
}
