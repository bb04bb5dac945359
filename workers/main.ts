import { parseArgs } from 'node:util';
import { asRouseError, RouseError } from '../model/errors.ts';
import { openInstallation } from '../system/installation.ts';
import { createLog } from '../system/log.ts';
import { type Role, roles, runWorkers } from './run.ts';
import { installRuntime } from './runtime.ts';
import { setPrivateUmask } from '../system/private-umask.ts';

setPrivateUmask();

function wantedRoles(): Role[] {
	const { values } = parseArgs({ options: { roles: { type: 'string', default: roles.join(',') } } });
	return values.roles.split(',').map(part => {
		const role = roles.find(known => known === part);
		if (!role) throw new RouseError('usage', `--roles: "${part}" is none of ${roles.join(', ')}`);
		return role;
	});
}

let log = createLog('worker');
const stop = new AbortController();
// Until workers run, nothing else hears these; afterwards the Runtime lets the workers drain.
for (const name of ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const) process.once(name, () => stop.abort());
let exitCode = 0;
try {
	const wanted = wantedRoles();
	log = createLog(`${wanted.join('-')}-worker`);
	installRuntime(log);
	await runWorkers(await openInstallation(), wanted, log, stop.signal);
} catch (thrown) {
	if (!stop.signal.aborted) {
		const error = asRouseError(thrown);
		log.fatal({ err: error }, 'workers cannot run');
		exitCode = error.exitCode;
	}
}
// Workers that were made and never ran would keep the process, and with it its lock.
process.exit(exitCode);
