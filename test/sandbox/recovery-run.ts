import type { RecoveryRequest } from '../../model/recovery.ts';
import { makeRequest, planOf } from '../equipment/recovery-request.ts';
import { sampleHardware } from '../equipment/sample-config.ts';
import type { Sandbox, SandboxRun } from '../equipment/sandbox.ts';

/** The steps up to power-on, and what each answers with. */
const untilRunning = [
	'plan',
	'reserve',
	'chooseHardware',
	'pin',
	'allocate',
	'createMachine',
	'startMovers',
	'snapshot',
	'powerOn',
] as const;
export type Step = (typeof untilRunning)[number];

export const asked = { by: 'tester', reason: 'because' };

/** Asked whether the host is there: no worker of it takes that, on any queue. */
export async function nobodyAnswers(run: SandboxRun): Promise<void> {
	for (const question of run.open.filter(({ type }) => type === 'answer')) await run.timeOut('answer', question);
}

export async function startRecovery(
	sandbox: Sandbox,
	changes: Partial<RecoveryRequest> = {},
): Promise<{ run: SandboxRun; request: RecoveryRequest }> {
	const request = makeRequest(changes);
	return { run: await sandbox.start('recovery', [{ request, requestHash: 'c'.repeat(64) }]), request };
}

/** Completes step after step, from the one that is pending, and stops with `step` pending. */
export async function bringTo(
	run: SandboxRun,
	request: RecoveryRequest,
	step: Step | 'running',
	from: Step = 'plan',
): Promise<void> {
	for (const name of untilRunning.slice(untilRunning.indexOf(from))) {
		if (name === step) return;
		await run.complete(name, answerOf(name, request));
	}
}

function answerOf(step: Step, request: RecoveryRequest): unknown {
	if (step === 'plan') return planOf(request);
	return step === 'chooseHardware' ? sampleHardware : undefined;
}

export async function startRunning(
	sandbox: Sandbox,
	changes: Partial<RecoveryRequest> = {},
): Promise<{ run: SandboxRun; request: RecoveryRequest }> {
	const started = await startRecovery(sandbox, changes);
	await bringTo(started.run, started.request, 'running');
	return started;
}
