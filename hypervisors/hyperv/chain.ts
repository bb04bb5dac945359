/** What a machine's disks consist of, and whether that is what we have made. */
import { RouseError } from '../../model/errors.ts';
import type { CallOptions } from '../contract.ts';
import { type DiskFiles, diskFiles } from './disk-files.ts';
import type { AnswerOf, Slot } from './driver/requests.ts';
import { diskHardware } from './hardware.ts';
import type { Found } from './look.ts';
import type { MachineParts } from './parts.ts';
import { records } from './record.ts';

type StandingDisk = AnswerOf<'chain'>['disks'][number] & { stand: Stand };

/**
 * The overlay on the volume's file or on the target, the target without an overlay, or what is not ours. `placeholder`: the overlay
 * on nothing, in the place that the target is to take.
 */
export type Stand = 'base' | 'target' | 'alone' | 'placeholder' | 'foreign';

/** `files`: the leaf first. Windows' paths mean the same in upper and lower case. */
function standOf(files: readonly { path: string }[], { overlay, base, filled }: DiskFiles, isAwaited: boolean): Stand {
	const found = files.map(({ path }) => path.toLowerCase());
	const is = (...wanted: string[]) =>
		found.length === wanted.length && wanted.every((path, at) => path.toLowerCase() === found[at]);
	if (is(overlay, base)) return 'base';
	if (is(overlay, filled)) return isAwaited ? 'placeholder' : 'target';
	return is(filled) && !isAwaited ? 'alone' : 'foreign';
}

/** One a disk, as the host finds it. Throws `machine_failed` when one does not hang at the machine where it was put. */
export async function readChain(parts: MachineParts, options: CallOptions): Promise<StandingDisk[]> {
	const { settings, definition } = parts;
	const { recoveryId, machineName } = definition;
	const all = await diskFiles(parts);
	const targets = all.flatMap(({ awaited }) => awaited ?? []);
	const { disks, awaited } = await settings.driver.ask('chain', { recoveryId, awaited: targets }, options);
	return all.map(files => {
		const { slot } = diskHardware(parts, files.disk);
		const found = disks.find(one => isSame(one.slot, slot));
		const isAwaited = files.awaited !== null && awaited.includes(files.awaited);
		if (found) return { ...found, stand: standOf(found.files, files, isAwaited) };
		throw new RouseError(
			'machine_failed',
			`${machineName} has no disk at ${slotText(slot)}, where ${files.disk.name} was`,
			{ hint: 'look in Hyper-V Manager who has taken it away, and put its disk back' },
		);
	});
}

/** Of a machine that runs: that was started while a switch had moved some of its overlays, or all. */
export async function runsOnTargets(parts: MachineParts, options: CallOptions): Promise<boolean> {
	const { definition, paths } = parts;
	const { targets } = await records.of(definition, paths);
	if (targets === 'appliance') return false; // they are let go before the first overlay is moved
	return (await readChain(parts, options)).some(({ stand }) => stand === 'target');
}

/** Throws `machine_failed` unless each disk stands as is said. */
export async function expectStand(parts: MachineParts, wanted: readonly Stand[], options: CallOptions): Promise<void> {
	const { disks, machineName } = parts.definition;
	for (const [at, { stand, files }] of (await readChain(parts, options)).entries()) {
		if (wanted.includes(stand)) continue;
		const found = files.map(({ path }) => path).join(' on ');
		throw foreign(
			`${disks[at]?.name} of ${machineName} consists of ${found}${stand === 'placeholder' ? ', which is empty' : ''}`,
		);
	}
}

/** Throws `machine_failed` while it needs what goes with the recovery: the volume, or a target that is not in its place. */
export async function refuseUnfinished(parts: MachineParts, options: CallOptions): Promise<void> {
	const { settings, definition } = parts;
	const { recoveryId, machineName } = definition;
	const ours = await diskFiles(parts);
	const targets = ours.flatMap(({ awaited }) => awaited ?? []);
	const { disks, awaited } = await settings.driver.ask('chain', { recoveryId, awaited: targets }, options);
	const empty = ours.filter(one => one.awaited !== null && awaited.includes(one.awaited)).map(one => one.filled);
	const unfit = [...ours.map(({ base }) => base), ...empty].map(path => path.toLowerCase());
	const found = disks.flatMap(({ files }) => files).find(({ path }) => unfit.includes(path.toLowerCase()));
	if (found === undefined) return;
	throw new RouseError('machine_failed', `${machineName} stands on ${found.path}, which goes with its recovery`, {
		hint: `turn ${machineName} off, so that it is put onto its targets, and try again`,
	});
}

/** Somebody's own checkpoint has moved the guest's writes to a file that we know nothing of. */
export function refuseCheckpoints(
	{ definition, hardware }: MachineParts,
	{ checkpoints, hasOwnCheckpoint }: Pick<Found, 'checkpoints' | 'hasOwnCheckpoint'>,
): void {
	if (hardware.overlay === 'checkpoint' && !hasOwnCheckpoint)
		throw new RouseError(
			'machine_failed',
			`somebody has removed the checkpoint rouse-${definition.recoveryId} of ${definition.machineName}, in which its guest's writes were`,
			{ hint: "copy the machine's files away before anything else is tried, and discard the recovery" },
		);
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
