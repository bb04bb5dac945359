import { RouseError } from '../model/errors.ts';

/** What brings QEMU's image tools, as Debian calls it. */
export const installImageTools = 'apt-get install qemu-utils';

/** What QEMU's tools say of an image they do not open, as an error for people. */
export function openingError(path: string, stderr: string): RouseError {
	const said = wordsOf(path, stderr);
	if (/lock/.test(said) && /another process/i.test(stderr))
		return new RouseError('lock_held', `${path} is open for writing: a machine runs on it`, {
			hint: 'shut the machine down first, or import a snapshot of the disk through an NBD server',
		});
	if (/truncated|end of (the )?file|after EOF/i.test(stderr))
		return new RouseError('source_invalid', `${path} is cut short: ${said}`, { hint: 'copy it again' });
	return new RouseError('source_invalid', `${path} cannot be read as a disk image: ${said}`);
}

/** The first line, without the tool's name and the repetitions of the path. */
function wordsOf(path: string, stderr: string): string {
	const line = stderr.split('\n').find(text => text.trim() !== '') ?? 'no reason given';
	return line
		.replace(/^qemu-(img|nbd): /, '')
		.replaceAll(/(Failed to blk_new_open|Could not open) '[^']*': /g, '')
		.replace(`${path}: `, '')
		.trim();
}
