import { commitOffline, dropOverlays } from './commit.ts';
import { expectOverlays, removeOverlays } from './overlays.ts';
import type { MachineParts } from './parts.ts';
import { records } from './record.ts';

/** A machine that was switched to its targets, and is off: its overlays are merged into them. May be done again. */
export async function settle(parts: MachineParts): Promise<void> {
	const run = parts.running.read();
	if (run !== undefined && run.guest !== 'off') return;
	const { merged } = await records.of(parts.definition, parts.paths);
	if (merged) return removeOverlays(parts);
	await expectOverlays(parts);
	await commitOffline(parts);
	await dropOverlays(parts);
}
