import { isCancellation } from '@temporalio/workflow';
import type { DrillTest } from '../model/drill.ts';
import { shortMessage } from '../model/incidents.ts';
import { type MachineFindings, nothingFound, type TestResult } from '../model/drill-report.ts';
import type { DrilledMachineInput, DrilledMachineResult } from './drill-contracts.ts';
import { drillControl, drillStubs } from './drill/stubs.ts';
import { documentOf } from './failures.ts';

/**
 * One machine of a drill, started when it is ready or will not be: its tests one after the other, then a look at it, and all
 * that is kept for the report. Apart from the drill, so that pictures and output are in a history of their own.
 */
export async function drilledMachine(input: DrilledMachineInput): Promise<DrilledMachineResult> {
	const { drill, report, name, recoveryId, tests } = input;
	const { hostId, ...facts } = await drillControl.findDrilled({ drill, name, recoveryId });
	const findings: MachineFindings = { ...nothingFound, ...facts };
	if (hostId !== null) {
		const of = { hostId, name, recoveryId, generation: 0 };
		const host = drillStubs(hostId);
		for (const test of tests) findings.tests.push(await tried(test, () => host.runTest({ ...of, test })));
		const seen = await host.lookAtMachine(of).catch(nothingSeen);
		Object.assign(findings, seen);
	}
	await drillControl.keepFindings({ drill, report, name, findings });
	return resultOf(findings, tests);
}

/** What keeps a test from being run is its result: the others are run all the same. */
async function tried(test: DrillTest, run: () => Promise<TestResult>): Promise<TestResult> {
	const startedMs = Date.now();
	try {
		return await run();
	} catch (error) {
		if (isCancellation(error)) throw error;
		const { code, message } = documentOf(error);
		const durationMs = Date.now() - startedMs;
		const { name, check } = test;
		return { name, by: check.by, passed: false, code, reason: message, output: '', durationMs };
	}
}

function nothingSeen(error: unknown): Pick<MachineFindings, 'screenshot' | 'screenshotReason' | 'readBytes'> {
	if (isCancellation(error)) throw error;
	return { screenshot: null, screenshotReason: documentOf(error).message, readBytes: null };
}

/** In the history of the drill: what hosts say is bounded. */
function resultOf({ tests: results }: MachineFindings, tests: readonly DrillTest[]): DrilledMachineResult {
	const failed = results.find(({ passed }) => !passed);
	if (failed) return { passed: false, reason: shortMessage(`${failed.name}: ${failed.reason ?? 'failed'}`) };
	const missing = results.length < tests.length;
	return { passed: !missing, reason: missing ? 'no host told where it runs' : null };
}
