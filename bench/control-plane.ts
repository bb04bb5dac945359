/**
 * What Temporal and our own activities cost between a request and `running`: real server on a file, real workers as
 * processes of their own, a supervisor that answers at once. Prints milliseconds, one JSON line.
 */
import { Recoveries } from '../client/recoveries.ts';
import { storedMachine } from '../test/equipment/stored-machine.ts';
import { SupervisorDouble } from '../test/equipment/supervisor-double.ts';
import { TestInstallation } from '../test/equipment/temporal.ts';

const rounds = Number(process.argv[2] ?? 20);
const place = await TestInstallation.create();
try {
	const supervisor = await SupervisorDouble.start(place.installation);
	await place.startServer();
	place.startWorkers('control');
	place.startWorkers('host');
	const recoveries = new Recoveries(await place.connect());
	const request = await storedMachine(place.installation.home);
	const overheads: number[] = [];
	const waits: number[] = [];
	for (let round = 0; round <= rounds; round++) {
		const name = `bench-${round}`;
		const begun = performance.now();
		await recoveries.start({ ...request, name, machineName: name });
		const { status } = await recoveries.waitFor(name, 'running', { timeoutMs: 60_000 });
		if (round === 0) continue; // the first one waits for the workers to start
		waits.push(performance.now() - begun);
		const { requestedAt, runningAt } = status?.timings ?? { requestedAt: '' };
		overheads.push(Date.parse(runningAt ?? '') - Date.parse(requestedAt));
	}
	await supervisor.stop();
	console.log(JSON.stringify({ rounds, requestToRunningMs: spread(overheads), seenByClientMs: spread(waits) }));
} finally {
	await place.remove();
}

function spread(values: readonly number[]): { least: number; median: number; most: number } {
	const sorted = values.toSorted((a, b) => a - b).map(Math.round);
	return { least: sorted[0] ?? 0, median: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 };
}
