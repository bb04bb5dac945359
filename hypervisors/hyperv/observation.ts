import { RouseError } from '../../model/errors.ts';
import type { CallOptions, MachineObservation } from '../contract.ts';
import { type Found, look } from './look.ts';
import type { MachineParts } from './parts.ts';
import { records } from './record.ts';
import { isOfThisBoot } from './saved.ts';

const isOff: MachineObservation = { power: 'off', byGuest: false, ioError: undefined, crash: undefined };
const isOn: MachineObservation = { ...isOff, power: 'on' };
const standsStill: MachineObservation = { ...isOff, power: 'paused' };

/** With less Hyper-V pauses the machines whose disks lie there; the threshold is told by many and documented nowhere. */
const fullBytes = 256 * 2 ** 20;

/** See `Machine.observe`. */
export async function observe(parts: MachineParts, options: CallOptions): Promise<MachineObservation> {
	const record = await records.read(parts.definition, parts.paths);
	const found = await look(parts, options);
	if (found === undefined) return isOff;
	if (found.stage === 'off') return { ...isOff, byGuest: found.stoppedBy === 'guest' };
	if (found.stage === 'saved') return (await isOfThisBoot(parts, record, options)) ? standsStill : isOff;
	if (found.stage === 'critical') {
		const ioError = await ioErrorOf(parts, options);
		// Windows may have lost the volume, with its target still there.
		if (ioError?.operation === 'read' && parts.seen.base === 'presented') parts.seen.base = 'unknown';
		return { ...standsStill, ioError };
	}
	if (found.stage === 'standing') return standsStill;
	if (found.stage === 'running') return isOn;
	if (found.stage === 'moving') return goesToRest(found) ? standsStill : isOn;
	throw new RouseError(
		'hypervisor_failed',
		`the host says of ${found.name} that it is in state ${found.state}, which means nothing here`,
	);
}

function goesToRest({ state }: Found): boolean {
	return /^(Saving|FastSaving|Pausing)/.test(state);
}

/** Which disk it was the host does not say. A datastore that is full is where overlays are, else it is the volume. */
async function ioErrorOf(
	{ settings, definition }: MachineParts,
	options: CallOptions,
): Promise<MachineObservation['ioError']> {
	const disk = definition.disks[0]?.name ?? 'disk0';
	const { freeBytes } = await settings.driver.ask('report', { datastore: settings.datastore }, options);
	if (freeBytes < fullBytes) return { disk, operation: 'write', noSpace: true };
	return { disk, operation: 'read', noSpace: false };
}
