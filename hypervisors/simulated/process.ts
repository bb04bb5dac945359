import { sectorBytes } from '../../model/chunk-bounds.ts';
import { asRouseError } from '../../model/errors.ts';
import { readHoles } from './base.ts';
import { expectOverlays } from './overlays.ts';
import type { RunningDisk } from './run-state.ts';
import { processSwitchPlaces, switchByCommit } from './switch-process.ts';
import { plainTargets } from './target-formats.ts';
import type { Call, Manner } from './parts.ts';
import { within } from './within.ts';

/** A read at the start is failed late, since a guess without it may differ; but before the start itself is given up. */
const startPatienceMs = 30_000;
const startMs = 45_000;

/** QEMU's manner. */
export const processManner: Manner = {
	targets: plainTargets,
	readsHoldCalls: true,
	staysWhenOff: true,
	switchPlaces: processSwitchPlaces,
	presentBase: async () => undefined,
	async prepareStart(call, chain) {
		const { parts } = call;
		if (chain !== 'target') await expectOverlays(parts);
		if (chain === 'mover') await guessGeometry(call);
		const disk: RunningDisk = {
			below: chain === 'mover' ? 'mover' : 'target',
			alone: chain === 'target',
			commit: null,
		};
		return parts.definition.disks.map(() => disk);
	},
	switchToTarget: switchByCommit,
	settle: async () => undefined,
};

/** While it starts the machine reads the first sector of each disk, and stands still until it has it. */
async function guessGeometry({ parts, gate, options }: Call): Promise<void> {
	const { settings, definition, stacks } = parts;
	const what = `the start of ${definition.machineName}`;
	const read = (until: AbortSignal) =>
		Promise.all(
			stacks.map(async (stack, index) => {
				const holes = stack.readFlushed({ below: 'mover', alone: false }, 0, Buffer.alloc(sectorBytes));
				try {
					await readHoles(parts, index, holes, until);
				} catch (error) {
					// It guesses without.
					if (until.aborted || asRouseError(error).code !== 'io_failed') throw error;
				}
			}),
		);
	await gate.pass(() => within(settings.clock, { what, ms: startMs, signal: options.signal }, read), {
		...options,
		patienceMs: startPatienceMs,
	});
}
