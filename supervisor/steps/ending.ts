/** The steps after which the recovery is no more on this host. Its tombstone comes first, so that each is carried on. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { OfDrill } from '../../model/recovery.ts';
import { lastIncidents } from '../../model/incidents.ts';
import { RouseError } from '../../model/errors.ts';
import { removeFileDurably, temporarySuffix } from '../../system/durable-file.ts';
import { goOn } from '../machine/go-on.ts';
import { keepMachine } from '../reconcile/machine.ts';
import { diskName, readMachineFile, writeMachineFile } from '../files/machine-file.ts';
import type { Recovery } from '../recovery/recovery.ts';
import { removeDirectory } from '../files/remove-directory.ts';
import type { StepContext } from '../recovery/step-context.ts';
import type { Tombstone } from '../files/tombstones.ts';

/** Only the machine stays: disks, machine.json, variables, start script. */
export async function finalize(context: StepContext): Promise<void> {
	const { recovery, host, signal } = context;
	if (recovery.tombstone === undefined && recovery.state.switch.stage !== 'done')
		throw new RouseError('phase_wrong', `recovery ${recovery.name}: the switch comes before the finish`);
	if (recovery.tombstone === undefined) {
		// The last look: a machine that died since the switch is started again.
		await keepMachine(context);
		await goOn(context);
	}
	await bury(context, 'finished');
	const { places } = recovery;
	const { machine, progress } = recovery.equipment;
	await writeMachineFile(places.machine, recovery.state, 'finished', await knownPaths(places.machine, progress.places));
	await host.reached('finalize-machine-file');
	await machine.handOver({ signal });
	await host.reached('finalize-handed-over');
	await endMovers(recovery);
	for (const disk of recovery.state.plan?.disks.keys() ?? []) await removeFileDurably(places.map(diskName(disk)));
	for (const name of await readdir(places.directory))
		if (name.endsWith(temporarySuffix)) await rm(join(places.directory, name), { force: true });
	await rm(places.incidents, { force: true });
	await rm(places.token, { force: true });
	await host.reached('finalize-before-state');
	// Last: as long as it is there, this is carried on.
	await removeFileDurably(places.state);
}

/** Machine, movers, writes, disks: nothing of it stays but the tombstone. */
export async function discard(context: StepContext, left = false): Promise<void> {
	const { recovery, host } = context;
	await bury(context, 'discarded', left);
	const { places } = recovery;
	if (recovery.equipped) {
		await recovery.equipment.machine.remove();
		await host.reached('discard-machine');
		await endMovers(recovery);
		for (const disk of recovery.state.plan?.disks.keys() ?? []) await removeFileDurably(places.map(diskName(disk)));
		// After the maps: one without its target would tell of what another one may replace.
		await recovery.equipment.machine.removeTargets();
	}
	await host.reached('discard-disks');
	await removeDirectory(places, places.state);
}

/**
 * The discard that nobody has ordered: a workflow takes back what it began. One whose history is behind this host takes a
 * machine that runs for one that was never started. Looked at in turn, after whatever was asked for before.
 */
export async function undo(context: StepContext, left = false): Promise<void> {
	mustBeBeforePowerOn(context.recovery);
	await discard(context, left);
}

/** Throws `power_on_scheduled`. A recovery that is buried already is carried on. */
export function mustBeBeforePowerOn({ name, state, tombstone }: Recovery): void {
	if (tombstone !== undefined || !state.powerOnScheduled) return;
	throw new RouseError(
		'power_on_scheduled',
		`recovery ${name} is not undone: power-on was scheduled, and only a confirmed discard removes what its guest may have written`,
		{ details: { generation: state.generation } },
	);
}

/**
 * Throws `identity_conflict`. By what this host was told when it began, and both times: whoever asks may take another recovery
 * for one of a drill, and of that one every guest write would be lost. One that has a place here, of which nothing was told
 * yet, has no guest: a drill that ends by then would wait for a person.
 */
export function mustBeOfDrill({ name, state, tombstone }: Recovery, drill: OfDrill): void {
	if (tombstone !== undefined) return; // nothing is left to lose
	const said = [state.request, state.plan].filter(known => known !== null);
	if (said.every(known => known.drill?.name === drill.name)) return;
	throw new RouseError(
		'identity_conflict',
		`recovery ${name} is not thrown away: here it is none of the drill ${drill.name}, and only a confirmed discard removes it`,
	);
}

/** The switch has let go of the targets: where they are was written down when the machine was made. */
async function knownPaths(machineFile: string, found: readonly string[]): Promise<readonly string[]> {
	if (found.length > 0) return found;
	return (await readMachineFile(machineFile))?.disks.map(({ path }) => path) ?? [];
}

/** Between two reports: the machine of a finished recovery is in none up to the one it tells, and in all after that. */
function bury(context: StepContext, state: 'finished' | 'discarded', left = false): Promise<void> {
	if (state === 'discarded') return buryAfter(0, context, state, left);
	return context.host.reportNumbers.between(last => buryAfter(last, context, state, left));
}

async function buryAfter(
	afterReport: number,
	{ recovery, host }: StepContext,
	state: 'finished' | 'discarded',
	left: boolean,
): Promise<void> {
	const tombstone: Tombstone = recovery.tombstone ?? {
		version: 1,
		recoveryId: recovery.recoveryId,
		name: recovery.name,
		repository: recovery.repository,
		state,
		generation: recovery.state.generation,
		left,
		wasHere: true,
		at: host.clock.date().toISOString(),
		afterReport,
		incidents: lastIncidents(await recovery.incidents.after(0), 1_000),
	};
	if (tombstone.state !== state)
		throw new RouseError('phase_wrong', `recovery ${recovery.name} is already ${tombstone.state}`);
	await host.tombstones.write(tombstone);
	// Not before: one that could not be written (a full disk) has not ended, and takes other orders.
	recovery.tombstone = tombstone;
	await recovery.incidents.close();
	await host.reached(`tombstone-${state}`);
}

async function endMovers(recovery: Recovery): Promise<void> {
	const { mount, migration } = recovery.equipment;
	for (const mover of [migration, mount]) {
		if (!(await mover.end()))
			throw new RouseError('hypervisor_stuck', `recovery ${recovery.name}: the ${mover.kind} mover cannot be killed`);
		await mover.remove();
	}
}
