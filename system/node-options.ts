/**
 * How Node runs a mover. Its young generation may grow to 48 MB by default, which one that is busy for a while takes and keeps; what
 * moves through a mover lies in buffers outside of it.
 */
export const moverNodeOptions: readonly string[] = ['--max-semi-space-size=4'];
