import { RouseError } from '../model/errors.ts';

/** A chunk whose bytes are wrong wherever they lie, or lie nowhere. Waiting mends neither: somebody must. */
export type ChunkDamage = RouseError & { readonly code: 'chunk_bad' | 'chunk_missing' };

export function isChunkDamage(error: unknown): error is ChunkDamage {
	return error instanceof RouseError && (error.code === 'chunk_bad' || error.code === 'chunk_missing');
}

/** Damage of a chunk, or a page that is no page although its bytes matched their digest. */
export function isDamage(error: unknown): error is RouseError {
	return isChunkDamage(error) || (error instanceof RouseError && error.code === 'format_damaged');
}

/** An object that is not what it should be, or lies on a bad place of a disk: others are worth no less for it. */
export function isUnusable(error: unknown): error is RouseError {
	return error instanceof RouseError && (error.code === 'format_damaged' || error.code === 'io_failed');
}

/** Lost by the medium, or something that is no file in the pack's place: as a value. Everything else is thrown on. */
export function lostBytes(error: unknown): RouseError {
	if (error instanceof RouseError && (error.code === 'io_failed' || error.code === 'format_damaged')) return error;
	throw error;
}

/** As {@link isUnusable}, or an object of a version that this program does not know: for lists that leave nothing out. */
export function isUnreadable(error: unknown): error is RouseError {
	return isUnusable(error) || (error instanceof RouseError && error.code === 'repository_unsupported');
}

/** With what a look at many objects ends that found these: that a newer version is needed is said only where nothing is damaged. */
export function codeOfAll(codes: readonly string[]): 'format_damaged' | 'repository_unsupported' {
	return codes.every(code => code === 'repository_unsupported') ? 'repository_unsupported' : 'format_damaged';
}
