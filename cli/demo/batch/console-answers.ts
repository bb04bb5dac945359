/**
 * `node console-answers.ts SOCKET`, of the supervisor: the check of the demo's guest, for `ready: {command: …}`. Ends with 0 when
 * the guest of the recovery that is named in ROUSE_RECOVERY answers on its console.
 */
import { SupervisorClient } from '../../../supervisor/client.ts';
import { GuestConsole } from '../console.ts';

/** Shorter than what a check is given for one look. */
const timeoutMs = 8_000;

const [socket = ''] = process.argv.slice(2);
const { platform } = await new SupervisorClient(socket).recovery(process.env['ROUSE_RECOVERY'] ?? '');
const guest = await GuestConsole.open(platform['consoleSocket'] ?? '');
try {
	await guest.ready({ timeoutMs });
} catch (error) {
	process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
	process.exitCode = 1;
} finally {
	guest.close();
}
