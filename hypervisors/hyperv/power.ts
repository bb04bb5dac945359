import { asRouseError, RouseError } from '../../model/errors.ts';
import type { Chain } from '../../model/recovery.ts';
import type { CallOptions } from '../contract.ts';
import { readChain, refuseCheckpoints } from './chain.ts';
import { diskFiles } from './disk-files.ts';
import type { RequestOf } from './driver/requests.ts';
import { type Found, look, lookAt, lookSettled } from './look.ts';
import { keepOnTargets, mustBeSnapshot, putOverlays } from './overlays.ts';
import type { Call, MachineParts } from './parts.ts';
import { records } from './record.ts';
import { isHeldBySwitch } from './saved.ts';
import { settleIfPossible } from './settle.ts';
import { releaseTargets } from './targets.ts';
import { whileServed } from './while-served.ts';

/** See `Machine.powerOn`. What somebody has paused or saved goes on. */
export async function powerOn(call: Call, chain: Chain): Promise<void> {
	const { parts, options } = call;
	const { definition, paths, settings } = parts;
	const record = await records.of(definition, paths);
	const found = await lookSettled(parts, options);
	const standsStill = found.stage === 'standing';
	if (standsStill) await settings.driver.ask('power', { recoveryId: definition.recoveryId, action: 'resume' }, options);
	if (standsStill || found.stage === 'running' || found.stage === 'critical') {
		// Somebody may have let it go on that stood still at its switch.
		if (chain === 'target' && parts.hardware.overlay === 'checkpoint')
			await settleIfPossible(parts, await lookSettled(parts, options), options);
		return;
	}
	if (await isHeldBySwitch(parts, record, found, options)) throw stillInSwitch(parts);
	await records.change(definition, paths, { inPause: false });
	await startOn(call, chain, found);
}

/** It is off or saved. */
async function startOn(call: Call, chain: Chain, found: Found): Promise<void> {
	const { parts, options } = call;
	await mustBeSnapshot(parts);
	if (chain === 'target') {
		await keepOnTargets(parts, options);
		return startOnTargets(call, found);
	}
	refuseCheckpoints(parts, found);
	const on = chain === 'mover' ? 'base' : 'target';
	if (on === 'target') await releaseTargets(parts);
	await putOverlays(call, on);
	await start(call, await disksOn(parts, on));
}

/** Children are merged while it is off, and a checkpoint while it runs: so the guest waits for no merge that it need not. */
async function startOnTargets(call: Call, found: Found): Promise<void> {
	const { parts, options } = call;
	const isLive = parts.hardware.overlay === 'checkpoint';
	if (!isLive) await settleIfPossible(parts, found, options);
	try {
		await start(call, await disksFound(parts, options));
	} catch (error) {
		// What Windows was at merging may have ended between the two.
		if (!isLive || asRouseError(error).details?.['driver'] !== 'chain_unexpected') throw error;
		await start(call, await disksFound(parts, options));
	}
	if (isLive) await settleIfPossible(parts, await lookSettled(parts, options), options);
}

type StartedDisk = RequestOf<'start'>['disks'][number];

/** Each overlay on one and the same. */
export async function disksOn(parts: MachineParts, on: 'base' | 'target'): Promise<StartedDisk[]> {
	return (await diskFiles(parts)).map(({ overlay, base, filled, awaited }) =>
		on === 'base' ? { leaf: overlay, parent: base } : { leaf: overlay, parent: filled, awaited },
	);
}

/** Of a machine that needs nothing of ours: whatever its owner has made of its disks is right. */
async function disksFound(parts: MachineParts, options: CallOptions): Promise<StartedDisk[]> {
	const ours = await diskFiles(parts);
	return (await readChain(parts, options)).map(({ files, stand }, at) => ({
		leaf: files[0]?.path ?? '',
		parent: files[1]?.path ?? null,
		awaited: stand === 'base' ? null : (ours[at]?.awaited ?? null),
	}));
}

/** Starts it, or lets go on what was saved. On the volume it reads that first. */
export async function start(call: Call, disks: StartedDisk[]): Promise<void> {
	const { parts, gate, options } = call;
	const { settings, definition, paths } = parts;
	const { recoveryId } = definition;
	const { bootId } = await settings.driver.ask('hello', {}, options);
	await records.change(definition, paths, { startedInBoot: bootId });
	const order = async () => void (await settings.driver.ask('start', { recoveryId, disks }, options));
	const onBase = disks.some(({ parent }) => parent?.startsWith(`${paths.windows.base}\\`));
	await gate.pass(() => (onBase ? whileServed(call, order) : order()), options);
}

/** Beyond this a read holds up the end of the machine that asked for it. */
const endsWithinMs = 10_000;

/**
 * Ends the machine. That its process ends before a read of its disk is answered is nowhere said; its reads are failed then, which
 * its guest does not learn of any more.
 */
export function withoutItsReads<T>({ gate, options }: Call, end: () => Promise<T>): Promise<T> {
	return gate.pass(end, { ...options, patienceMs: endsWithinMs });
}

/** See `Machine.powerOff`. Not looked at before: a machine that hangs answers nobody. */
export async function powerOff(call: Call): Promise<void> {
	const { parts, options } = call;
	const { settings, definition, paths } = parts;
	const record = await records.read(definition, paths);
	if (record === undefined) return;
	const { recoveryId } = definition;
	const { state } = await withoutItsReads(call, () =>
		settings.driver.ask('power', { recoveryId, action: 'turn-off' }, options),
	);
	// What a guest has in memory alone goes with its power, also when that memory is in a file.
	if (/Saved/.test(state)) await settings.driver.ask('power', { recoveryId, action: 'forget-saved' }, options);
	if (record.inPause) await records.change(definition, paths, { inPause: false });
}

/** See `Machine.reset`. */
export async function reset(call: Call): Promise<void> {
	const { parts, options } = call;
	const { settings, definition, paths } = parts;
	const record = await records.read(definition, paths);
	const found = record && (await look(parts, options));
	if (record === undefined || found === undefined || found.stage === 'off') return;
	const { recoveryId } = definition;
	if (found.stage === 'saved') {
		if (record.inPause) throw stillInSwitch(parts);
		await settings.driver.ask('power', { recoveryId, action: 'forget-saved' }, options);
		const read = () => whileServed(call, () => disksFound(parts, options));
		await start(call, await call.gate.pass(read, options));
	} else await settings.driver.ask('power', { recoveryId, action: 'reset' }, options);
}

/** See `Machine.shutdown`. */
export async function shutdown({ parts, options }: Call): Promise<void> {
	const { settings, definition, paths } = parts;
	const record = await records.read(definition, paths);
	const found = record && (await look(parts, options));
	if (found?.stage !== 'running') return;
	await settings.driver.ask('power', { recoveryId: definition.recoveryId, action: 'shutdown' }, options);
}

/** See `Machine.resume`. */
export async function resume({ parts, options }: Call): Promise<void> {
	const { settings, definition, paths } = parts;
	await records.of(definition, paths);
	const found = await lookAt(parts, options);
	if (found.stage !== 'critical') return;
	await settings.driver.ask('power', { recoveryId: definition.recoveryId, action: 'resume' }, options);
}

function stillInSwitch({ definition }: MachineParts): RouseError {
	return new RouseError(
		'phase_wrong',
		`${definition.machineName} is in the pause of its switch: that must be carried on before its guest may run`,
	);
}
