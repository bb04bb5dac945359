/**
 * How Node runs a mover. Its young generation may grow to 48 MB by default, which one that is busy for a while takes and keeps; what
 * moves through a mover lies in buffers outside of it. The collector can be asked to collect (movers/at-rest.ts).
 */
export const moverNodeOptions: readonly string[] = ['--max-semi-space-size=4', '--expose-gc'];

/**
 * What glibc's malloc does with their buffers (mallopt(3)). By default it keeps those that were given back, up to 32 MiB each once one
 * was as large, and an arena for each thread that ever was: a mover that was busy for a while held on to hundreds of MB.
 */
export const moverEnvironment: Readonly<Record<string, string>> = {
	MALLOC_ARENA_MAX: '2',
	MALLOC_MMAP_THRESHOLD_: String(128 * 1024),
	MALLOC_TRIM_THRESHOLD_: String(1024 * 1024),
};
