import type { MachineDefinition } from '../contract.ts';

/**
 * Reads a disk as the mount mover serves it: fills `into`, however long that takes. Of no bytes: only whether the disk is
 * served. Throws `mover_unreachable` when nobody serves it, `io_failed` when the mover answers with an error, and the
 * signal's reason.
 */
export type ReadBase = (
	definition: MachineDefinition,
	disk: number,
	offsetBytes: number,
	into: Buffer,
	signal: AbortSignal,
) => Promise<void>;
