/** From hardware acceleration to emulation, for a machine that the former does not carry. */
import { asRouseError, RouseError } from '../../model/errors.ts';
import { variantOf } from './acceleration.ts';
import { crashOf } from './run-state.ts';
import { guestHasWritten } from './guest-written.ts';
import { hardwareOf } from './hardware.ts';
import type { MachineParts } from './machine-parts.ts';
import { queryKvm, queryStatus } from './monitor-queries.ts';
import { endByForce, whatRuns } from './process.ts';
import { recordFallBack, records } from './record.ts';

/** Its name, for people. */
const emulation = 'emulation (TCG)';

/** The way that asks less of the host, if it is open: the guest has written nothing yet, and nobody forces KVM. */
export async function fallBackOf(parts: MachineParts): Promise<string | undefined> {
	const { definition, paths, monitor } = parts;
	const host = await parts.host();
	if (await guestHasWritten(definition, paths, host, monitor)) return undefined;
	const own = hardwareOf(definition).accelerator ?? undefined;
	try {
		const next = await host.accelerationFor(variantOf(definition.config), own, 'it would have fallen back');
		return next.accelerator === 'tcg' ? emulation : undefined;
	} catch (error) {
		if (asRouseError(error).code === 'precheck_failed') return undefined;
		throw error;
	}
}

/** QEMU ended while it started a machine: where another way is open, the error says so in `details.fallBack`. */
export async function offeringFallBack<T>(parts: MachineParts, start: () => Promise<T>): Promise<T> {
	try {
		return await start();
	} catch (thrown) {
		const error = asRouseError(thrown);
		if (error.code !== 'machine_failed' || error.details?.['refused'] !== true) throw thrown;
		const fallBack = await fallBackOf(parts);
		if (fallBack === undefined) throw thrown;
		const details = { ...error.details, fallBack };
		throw new RouseError('machine_failed', error.message, { hint: error.hint, cause: thrown, details });
	}
}

/**
 * Durable when it resolves: every later start is emulated. A QEMU whose guest crashed under the other way is ended. Throws
 * `phase_wrong` when the guest may have written something.
 */
export async function takeFallBack(parts: MachineParts): Promise<void> {
	const { definition, paths } = parts;
	const crash = await crashUnderKvm(parts);
	if ((await records.read(definition, paths))?.acceleration === undefined) {
		if ((await fallBackOf(parts)) === undefined)
			throw new RouseError('phase_wrong', `${definition.machineName} cannot be emulated from here on`, {
				hint: 'its guest has written to its disks, or KVM is forced: reset it',
			});
		await recordFallBack(definition, paths, crash ?? 'QEMU could not start it under KVM');
	}
	if (crash !== undefined) await endByForce(definition, paths);
}

async function crashUnderKvm({ definition, paths, monitor }: MachineParts): Promise<string | undefined> {
	if ((await whatRuns(definition, paths)) !== 'machine') return undefined;
	const qmp = await monitor.open();
	return (await queryKvm(qmp)) ? crashOf((await queryStatus(qmp)).status) : undefined;
}
