/**
 * How Node runs a mover. Its young generation may grow to 48 MB by default, which one that is busy for a while takes and keeps; what
 * moves through a mover lies in buffers outside of it. The collector can be asked to collect (movers/at-rest.ts).
 */
export const moverNodeOptions: readonly string[] = ['--max-semi-space-size=4', '--expose-gc'];

/**
 * What glibc's malloc does with their buffers (mallopt(3)). By default it keeps those that were given back, up to 32 MiB each once one
 * was as large, and an arena for each thread that ever was: a mover that was busy for a while held on to hundreds of MB. Stored chunks,
 * mostly of 64 to 128 KiB, are to be mappings of their own: between other things they left holes that nothing gives back, 50 MB of them.
 */
export const moverEnvironment: Readonly<Record<string, string>> = {
	MALLOC_ARENA_MAX: '2',
	MALLOC_MMAP_THRESHOLD_: String(64 * 1024),
	MALLOC_TOP_PAD_: '0',
	MALLOC_TRIM_THRESHOLD_: String(1024 * 1024),
};

/** How Node runs a step of an import: as the launcher has it for commands, and with no arena for each thread that has ever compressed. */
export const stepNodeOptions: readonly string[] = ['--max-semi-space-size=4'];
export const stepEnvironment: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '2' };
