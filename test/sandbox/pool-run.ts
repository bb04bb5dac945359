/** A recovery over the pool kvm1, kvm2, and the broker that it asks. */
import type { StartedChild } from '../equipment/sandbox-outside.ts';
import { type Place, recoveryStatusSchema } from '../../model/recovery.ts';
import { makeRequest, planOf, testHostId } from '../equipment/recovery-request.ts';
import { sampleHardware } from '../equipment/sample-config.ts';
import { SandboxBroker } from '../equipment/sandbox-broker.ts';
import type { Sandbox, SandboxRun } from '../equipment/sandbox.ts';

export const kvm2 = '9f6a1c1e-77a4-4f0e-8a55-0d6f5d2f4c11';
const pool: Place[] = [
	{ host: 'kvm1', hostId: testHostId },
	{ host: 'kvm2', hostId: kvm2 },
];

export const beforePowerOn = [
	'reserve',
	'chooseHardware',
	'pin',
	'allocate',
	'createMachine',
	'startMovers',
	'snapshot',
] as const;
export type BeforePowerOn = (typeof beforePowerOn)[number];

export interface PoolRun {
	run: SandboxRun;
	broker: SandboxBroker;
}

export async function startWaiting(sandbox: Sandbox): Promise<PoolRun> {
	const request = makeRequest({ host: 'kvm1', pool });
	const run = await sandbox.start('recovery', [{ request, requestHash: 'c'.repeat(64), broker: true }]);
	await run.complete('plan', planOf(request));
	return { run, broker: new SandboxBroker() };
}

export const statusOf = (run: SandboxRun) => recoveryStatusSchema.parse(run.memo['status']);

/** Completes step after step, and stops with `step` pending. */
export async function bringTo(run: SandboxRun, step: BeforePowerOn | 'powerOn'): Promise<void> {
	for (const name of beforePowerOn) {
		if (name === step) return;
		await run.complete(name, name === 'chooseHardware' ? sampleHardware : undefined);
	}
}

/** The broker hears that the host is left, and the workflow that is to undo what it has is started. */
export async function leave({ run, broker }: PoolRun): Promise<StartedChild> {
	const child = run.outside.children.at(-1);
	if (!child) throw new Error('no undo is owed');
	await run.activate([{ resolveChildWorkflowExecutionStart: run.outside.begun(child, true) }]);
	await broker.hear(run);
	return child;
}
