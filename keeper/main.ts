/** The keeper's process: `node keeper/main.ts HOME`, started under its lock by `rouse up`. */
import { asRouseError } from '../model/errors.ts';
import { loadConfig, openInstallation } from '../system/installation.ts';
import { createLog } from '../system/log.ts';
import { keepInstallation } from './keeper.ts';
import { setPrivateUmask } from '../system/private-umask.ts';

setPrivateUmask();

const ended = new AbortController();
process.on('SIGTERM', () => ended.abort());
process.on('SIGINT', () => ended.abort());

const log = createLog('keeper');
try {
	const installation = await openInstallation(process.argv[2]);
	await keepInstallation(installation, await loadConfig(installation), { signal: ended.signal, log });
} catch (thrown) {
	// The last line of this log, which `rouse up` reads for whoever waits for us.
	const { code, message, hint, exitCode } = asRouseError(thrown);
	log.fatal({ code, hint, ...(code === 'internal' ? { err: thrown } : {}) }, message);
	process.exitCode = exitCode;
}
