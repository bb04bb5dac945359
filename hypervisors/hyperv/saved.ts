/** A machine whose guest and devices are in a file. */
import type { CallOptions } from '../contract.ts';
import type { Found } from './look.ts';
import type { MachineParts } from './parts.ts';
import type { MachineRecord } from './record.ts';

/**
 * Whether Windows runs since the machine was last started. Windows saves what runs when it is shut down, and what was saved
 * outlives its power: after a boot whether it goes on is for whoever decides what becomes of machines that were on. What a
 * switch or a person has saved meanwhile stands still for them.
 */
export async function isOfThisBoot(
	{ settings }: MachineParts,
	record: Pick<MachineRecord, 'startedInBoot'> | undefined,
	options: CallOptions,
): Promise<boolean> {
	if (record === undefined || record.startedInBoot === null) return true;
	return (await settings.driver.ask('hello', {}, options)).bootId === record.startedInBoot;
}

/** A switch has saved it, and has to be carried on before its guest may run. */
export async function isHeldBySwitch(
	parts: MachineParts,
	record: MachineRecord,
	{ stage }: Found,
	options: CallOptions,
): Promise<boolean> {
	return stage === 'saved' && record.inPause && (await isOfThisBoot(parts, record, options));
}
