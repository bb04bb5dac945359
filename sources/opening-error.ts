import { RouseError } from '../model/errors.ts';
import { type CagedFile, cageError, inCage, wasKilled } from './cage.ts';

/** What brings the programs that make a cage. */
export const installCageTools = 'apt-get install util-linux';

/** What QEMU's tools say of an image at `path` that they do not open in their cage, as an error for people. */
export function openingError(path: string, stderr: string, files: readonly CagedFile[]): RouseError {
	const ofCage = cageError(stderr, files);
	if (ofCage) return ofCage;
	if (wasKilled(stderr)) return killedError(path, 'the tool that reads it was killed');
	const said = wordsOf(path, stderr, files);
	if (/lock/.test(said) && /another process/i.test(stderr))
		return new RouseError('lock_held', `${path} is open for writing: a machine runs on it`, {
			hint: 'shut the machine down first, or import a snapshot of the disk through an NBD server',
		});
	// An SEsparse VMDK: check_se_sparse_volatile_header in block/vmdk.c.
	if (/Replaying journal not supported/.test(stderr))
		return new RouseError('source_invalid', `${path} was not closed: what was written last is still in its journal`, {
			hint: 'start and shut down its machine where it ran, and copy it again',
		});
	if (/truncated|end of (the )?file|after EOF/i.test(stderr))
		return new RouseError('source_invalid', `${path} is cut short: ${said}`, { hint: 'copy it again' });
	const isRefused = /Permission denied/.test(said);
	// Without a word of its own: what a header or table has is not what QEMU knows.
	const reason = /^(Invalid argument|Operation not supported)$/.test(said)
		? `QEMU takes it for broken (${said})`
		: said;
	return new RouseError('source_invalid', `${path} cannot be read as a disk image: ${reason}`, {
		hint: isRefused
			? `each file of it must be readable for user ${files[0]?.file.found.uid}, its owner`
			: 'copy it again, or convert it where it was made',
	});
}

/** What became of a tool that did not end by itself: of a limit, or of what it read. */
export function killedError(path: string, how: string, cause?: unknown): RouseError {
	return new RouseError('source_invalid', `${path} is damaged, or asks for more than an image may: ${how}`, { cause });
}

/** The first line, with the paths that people know, without the tool's name and the repetitions of the path. */
export function wordsOf(path: string, stderr: string, files: readonly CagedFile[]): string {
	const line = stderr.split('\n').find(text => text.trim() !== '') ?? 'no reason given';
	const known = files.reduce((text, { file, name }) => text.replaceAll(inCage(name), file.path), line);
	return known
		.replace(/^qemu-(img|nbd): /, '')
		.replaceAll(/(Failed to blk_new_open|Could not open) ('json:.*?\}'|'[^']*'): /g, '')
		.replace(`${path}: `, '')
		.replaceAll(/\p{Cc}/gu, '?')
		.trim();
}
