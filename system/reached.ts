/** Called with the name of the place in a program that was just reached; only tests do something with it. */
export type Reached = (place: string) => void;

/**
 * `ROUSE_TEST_KILL_AT=PLACE` or `PLACE:N`: this process kills itself with SIGKILL when it reaches PLACE (for the Nth
 * time), so that tests can end it between two steps that no signal from outside could hit. Unset, it does nothing.
 */
export function reachedFromEnvironment(env: NodeJS.ProcessEnv = process.env): Reached {
	const [killAt, times = '1'] = (env['ROUSE_TEST_KILL_AT'] ?? '').split(':');
	if (killAt === undefined || killAt === '') return () => {};
	let left = Number(times);
	return place => {
		if (place !== killAt) return;
		left -= 1;
		if (left === 0) process.kill(process.pid, 'SIGKILL');
	};
}
