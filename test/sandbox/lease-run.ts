import * as z from 'zod';
import { heldLeaseSchema } from '../../model/broker.ts';
import {
	type RecoveryRequest,
	recoveryPlanSchema,
	type RecoveryStatus,
	recoveryStatusSchema,
} from '../../model/recovery.ts';
import { makeRequest, planOf } from '../equipment/recovery-request.ts';
import { sampleHardware } from '../equipment/sample-config.ts';
import { SandboxBroker } from '../equipment/sandbox-broker.ts';
import type { Sandbox, SandboxRun } from '../equipment/sandbox.ts';
import { asked } from './recovery-run.ts';

export interface Site {
	run: SandboxRun;
	request: RecoveryRequest;
	broker: SandboxBroker;
}

type Changes = Partial<RecoveryRequest>;

/** Planned, and waiting for its broker. */
export async function waiting(sandbox: Sandbox, changes: Changes = {}): Promise<Site> {
	const request = makeRequest(changes);
	const run = await sandbox.start('recovery', [{ request, requestHash: 'c'.repeat(64), broker: true }]);
	const plan = recoveryPlanSchema.parse({ ...planOf(request), repositoryName: 'main' });
	await run.complete('plan', plan);
	return { run, request, broker: new SandboxBroker() };
}

export async function running(sandbox: Sandbox, changes: Changes = {}): Promise<Site> {
	const site = await waiting(sandbox, changes);
	await site.broker.grant(site.run);
	await site.run.complete('reserve');
	await site.run.complete('chooseHardware', sampleHardware);
	for (const step of ['pin', 'allocate', 'createMachine', 'startMovers', 'snapshot', 'powerOn'])
		await site.run.complete(step);
	return site;
}

export async function copying(sandbox: Sandbox, changes: Changes = {}): Promise<Site> {
	const site = await running(sandbox, changes);
	await site.run.update('migrate', asked);
	await site.broker.grant(site.run);
	return site;
}

export function memoStatus(run: SandboxRun): RecoveryStatus {
	return recoveryStatusSchema.parse(run.memo['status']);
}

export const memoPhase = (run: SandboxRun) => memoStatus(run).phase;
export const memoHeld = (run: SandboxRun) => z.array(heldLeaseSchema).parse(run.memo['leases']);
export const heldSteps = (run: SandboxRun) => memoHeld(run).map(({ request }) => request.step);

export function hostReport(run: SandboxRun, blocked: boolean, more: { copying?: boolean } = {}) {
	return {
		recoveryId: memoStatus(run).recoveryId,
		power: 'on',
		blocked: blocked ? { code: 'chunk_bad', reason: 'a chunk', next: { order: 'retry' } } : null,
		incidents: [],
		...more,
	};
}
