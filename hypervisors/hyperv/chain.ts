/** What a machine's disks consist of, and whether that is what we have made. */
import { RouseError } from '../../model/errors.ts';
import type { CallOptions, MachineDisk } from '../contract.ts';
import type { AnswerOf, Slot } from './driver/requests.ts';
import { diskHardware } from './hardware.ts';
import type { MachineParts } from './parts.ts';
import type { WindowsPaths } from './paths.ts';
import { records } from './record.ts';

type FoundDisk = AnswerOf<'chain'>['disks'][number];

/** The overlay on the volume's file or on the target, the target without an overlay, or what is not ours. */
export type Stand = 'base' | 'target' | 'alone' | 'foreign';

/** `files`: the leaf first. Windows' paths mean the same in upper and lower case. */
export function standOf(files: readonly { path: string }[], paths: WindowsPaths, disk: MachineDisk): Stand {
	const found = files.map(({ path }) => path.toLowerCase());
	const is = (...wanted: string[]) =>
		found.length === wanted.length && wanted.every((path, at) => path.toLowerCase() === found[at]);
	const [overlay, target] = [paths.overlay(disk), paths.target(disk)];
	if (is(overlay, paths.baseFile(disk))) return 'base';
	if (is(overlay, target)) return 'target';
	return is(target) ? 'alone' : 'foreign';
}

/** One a disk, as the host finds it. Throws `machine_failed` when one does not hang at the machine where it was put. */
export async function readChain(parts: MachineParts, options: CallOptions): Promise<FoundDisk[]> {
	const { settings, definition } = parts;
	const { disks } = await settings.driver.ask('chain', { recoveryId: definition.recoveryId }, options);
	return definition.disks.map(disk => {
		const { slot } = diskHardware(parts, disk);
		const found = disks.find(one => isSame(one.slot, slot));
		if (found) return found;
		throw new RouseError(
			'machine_failed',
			`${definition.machineName} has no disk at ${slotText(slot)}, where ${disk.name} was`,
			{ hint: 'look in Hyper-V Manager who has taken it away, and put its disk back' },
		);
	});
}

/** Of a machine that runs: that was started while a switch had moved some of its overlays, or all. */
export async function runsOnTargets(parts: MachineParts, options: CallOptions): Promise<boolean> {
	const { definition, paths } = parts;
	const { targets } = await records.of(definition, paths);
	if (targets === 'appliance') return false; // they are let go before the first overlay is moved
	const chain = await readChain(parts, options);
	return definition.disks.some((disk, at) => standOf(chain[at]?.files ?? [], paths.windows, disk) === 'target');
}

/** Throws `machine_failed` unless each disk stands as is said. */
export async function expectStand(parts: MachineParts, wanted: readonly Stand[], options: CallOptions): Promise<void> {
	const { definition, paths } = parts;
	const found = await readChain(parts, options);
	for (const [at, disk] of definition.disks.entries()) {
		const files = found[at]?.files ?? [];
		if (wanted.includes(standOf(files, paths.windows, disk))) continue;
		throw foreign(
			`${disk.name} of ${definition.machineName} consists of ${files.map(({ path }) => path).join(' on ')}`,
		);
	}
}

/** Somebody's own checkpoint has moved the guest's writes to a file that we know nothing of. */
export function refuseCheckpoints({ definition }: MachineParts, { checkpoints }: { checkpoints: number }): void {
	if (checkpoints === 0) return;
	const many = checkpoints === 1 ? 'a checkpoint' : `${checkpoints} checkpoints`;
	throw foreign(`${definition.machineName} has ${many} that Rouse did not make`);
}

function foreign(what: string): RouseError {
	return new RouseError('machine_failed', what, {
		hint: 'remove checkpoints of this machine in Hyper-V Manager, wait until they are merged, and keep other backup products from it until its recovery is finished',
	});
}

function isSame(one: Slot, other: Slot): boolean {
	return one.controller === other.controller && one.number === other.number && one.location === other.location;
}

function slotText({ controller, number, location }: Slot): string {
	return `${controller} ${number}:${location}`;
}
