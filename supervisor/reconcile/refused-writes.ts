import type { Clock } from '../../system/clock.ts';
import type { IncidentLog } from '../files/incident-log.ts';
import type { Seen } from '../recovery/recovery.ts';

/** Whoever tries once may try without end. */
const tellAgainMs = 60_000;

/**
 * Somebody tried to write what the guest's disk starts from. No guest can ask QEMU for that, and QEMU opens the exports
 * for reading: it is a defect, or whoever asks is not who should ask (docs/security.md).
 */
export async function noteRefusedWrites(
	{ seen, incidents }: { seen: Pick<Seen, 'mount' | 'refusedWrites'>; incidents: Pick<IncidentLog, 'add'> },
	clock: Pick<Clock, 'now'>,
): Promise<void> {
	if (seen.mount === undefined) return;
	const refused = seen.mount.refusedWrites;
	const total = refused?.count ?? 0;
	// Fewer than were told of: another process, which counts anew.
	const known = total < seen.refusedWrites.count ? 0 : seen.refusedWrites.count;
	const now = clock.now();
	if (refused === undefined || total === known || now - seen.refusedWrites.toldAtMs < tellAgainMs) return;
	seen.refusedWrites = { count: total, toldAtMs: now };
	const { export: name, offset, length } = refused;
	const times = total - known === 1 ? 'once' : `${total - known} times`;
	await incidents.add(
		'write_refused',
		`somebody tried ${times} to write to the mount mover's ${name}, last ${length} bytes at ${offset}; nothing was written`,
	);
}
