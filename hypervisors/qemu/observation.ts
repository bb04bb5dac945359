import type { MachineObservation } from '../contract.ts';
import { abortable } from './abortable.ts';
import { fallBackOf } from './fall-back.ts';
import { crashOf, powerOf } from './run-state.ts';
import type { MachineParts } from './machine-parts.ts';
import { queryDisks, queryKvm, queryStatus } from './monitor-queries.ts';
import { whatRuns } from './process.ts';
import type { Qmp } from '../../qmp/client.ts';

/** An answer this late means that QEMU holds an unanswered read, or that the host is far beyond its means. */
const limit = { timeoutMs: 2_000 };

const off: MachineObservation = { power: 'off', byGuest: false, ioError: undefined, crash: undefined };

/** `hypervisor_stuck` when QEMU does not answer. */
export async function lookAt(parts: MachineParts, signal: AbortSignal | undefined): Promise<MachineObservation> {
	const { definition, paths, monitor } = parts;
	if ((await whatRuns(definition, paths)) !== 'machine') return off;
	try {
		const qmp = abortable(await monitor.open({ ...limit, signal }), signal);
		const { status } = await queryStatus(qmp, limit);
		const power = powerOf(status);
		return {
			power,
			// Rouse ends QEMU when it takes the power away: of one that lives only the guest itself can have gone off.
			byGuest: status === 'shutdown',
			ioError: power === 'paused' ? await ioErrorOf(parts, qmp) : undefined,
			crash: await crashIn(parts, qmp, status),
		};
	} catch (error) {
		signal?.throwIfAborted();
		// It ended while it was asked.
		if ((await whatRuns(definition, paths)) !== 'machine') return off;
		throw error;
	}
}

async function ioErrorOf({ definition, monitor }: MachineParts, qmp: Qmp): Promise<MachineObservation['ioError']> {
	for (const [index, { ioStatus }] of await queryDisks(qmp, limit)) {
		const disk = definition.disks[index];
		if (ioStatus === 'ok' || disk === undefined) continue;
		const noSpace = ioStatus === 'nospace';
		// Not heard of (the supervisor is new): only writes want space, and what else fails here is the mover's reads.
		const operation = noSpace ? 'write' : (monitor.failedOperation(index) ?? 'read');
		return { disk: disk.name, operation, noSpace };
	}
	return undefined;
}

async function crashIn(parts: MachineParts, qmp: Qmp, status: string): Promise<MachineObservation['crash']> {
	const reason = crashOf(status);
	if (reason === undefined) return undefined;
	// A guest that gave up has its own reasons, whatever runs it.
	const byAccelerator = status === 'internal-error' && (await queryKvm(qmp, limit));
	return { reason, fallBack: byAccelerator ? await fallBackOf(parts) : undefined };
}
