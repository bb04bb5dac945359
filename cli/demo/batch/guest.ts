import type { SupervisorClient } from '../../../supervisor/client.ts';
import { RouseError } from '../../../model/errors.ts';
import { GuestConsole } from '../console.ts';

const files = 8;
/** An emulated guest on a busy machine. */
const timeoutMs = 120_000;

/** Lets the guest write files and read them back from its disk; how many were right, which is all of them. */
export async function verifyGuest(supervisor: SupervisorClient, name: string, signal: AbortSignal): Promise<number> {
	const { platform } = await supervisor.recovery(name, { signal });
	const guest = await GuestConsole.open(platform['consoleSocket'] ?? '');
	try {
		await guest.command(`write ${files} 64`, new RegExp(`^wrote ${files}$`), { timeoutMs, signal });
		const [said, ok] = await guest.command('verify', /^ok (\d+) bad (\d+)$/, { timeoutMs, signal });
		if (said !== `ok ${files} bad 0`)
			throw new RouseError('machine_failed', `the guest wrote ${files} files and finds: ${said}`);
		return Number(ok);
	} finally {
		guest.close();
	}
}
