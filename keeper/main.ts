/** The keeper's process: `node keeper/main.ts HOME`, started under its lock by `rouse up`. */
import { asRouseError } from '../model/errors.ts';
import { loadConfig, openInstallation } from '../system/installation.ts';
import { keepInstallation } from './keeper.ts';

const ended = new AbortController();
process.on('SIGTERM', () => ended.abort());
process.on('SIGINT', () => ended.abort());

const say = (message: string) => console.log(`${new Date().toISOString()} ${message}`);
try {
	const installation = await openInstallation(process.argv[2]);
	await keepInstallation(installation, await loadConfig(installation), { signal: ended.signal, say });
} catch (thrown) {
	// `rouse up` shows the end of this log to whoever waits for us.
	const { message, hint, exitCode } = asRouseError(thrown);
	say(`cannot keep the services: ${message}${hint ? ` (${hint})` : ''}`);
	process.exitCode = exitCode;
}
