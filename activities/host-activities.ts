import { askHost } from './host/ask-host.ts';
import { answer } from './host/answer.ts';
import { checkReadiness } from './host/check-readiness.ts';
import { chooseHardware } from './host/choose-hardware.ts';
import { lookAtMachine } from './host/drill/look-at-machine.ts';
import { runTest } from './host/drill/run-test.ts';
import { leasesGone } from './host/leases-gone.ts';
import { migrateChunks, type SliceOptions } from './host/migrate-chunks.ts';
import { hostSteps } from './host/steps.ts';
import type { HostDependencies } from './host-attempt.ts';

/** What a host worker does: its supervisor is asked, with the recovery's id and generation. */
export function createHostActivities(host: HostDependencies, slices?: SliceOptions) {
	return {
		...hostSteps(host),
		answer: answer(host),
		askHost: askHost(host),
		checkReadiness: checkReadiness(host),
		chooseHardware: chooseHardware(host),
		leasesGone: leasesGone(host),
		lookAtMachine: lookAtMachine(host),
		migrateChunks: migrateChunks(host, slices),
		runTest: runTest(host),
	};
}

export type HostActivities = ReturnType<typeof createHostActivities>;
