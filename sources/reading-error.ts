/** Reads through our own server of an image, whose errors are the image's: by its name, the place, and the server's reason. */
import { RouseError } from '../model/errors.ts';
import type { DiskExtent } from '../nbd/client/client.ts';
import type { ServedImage } from './qemu-nbd.ts';

/** A place is found to this many bytes: a sector of today's disks, a page. */
const placeBytes = 4096;

interface Read {
	offsetBytes: number;
	into: Buffer;
}

/** Throws `source_invalid`, and the signal's reason. */
export async function readOf(
	served: ServedImage,
	path: string,
	{ offsetBytes, into }: Read,
	signal: AbortSignal,
): Promise<void> {
	try {
		await served.client.read(offsetBytes, into, signal);
	} catch (error) {
		signal.throwIfAborted();
		const at = isRefusal(error) ? await firstUnreadable(served, { offsetBytes, into }, signal) : offsetBytes;
		throw await explained(served, path, at, error);
	}
}

export async function* extentsOf(served: ServedImage, path: string, signal: AbortSignal): AsyncGenerator<DiskExtent> {
	let reached = 0;
	try {
		for await (const extent of served.client.extents(signal)) {
			reached = extent.offsetBytes + extent.lengthBytes;
			yield extent;
		}
	} catch (error) {
		signal.throwIfAborted();
		throw await explained(served, path, reached, error);
	}
}

/** The server's answer without our request, which is in other words already. */
function refusalOf({ message }: RouseError): string {
	return message.replace(/^source .*?: (\w+) at offset .*?\)/, '$1');
}

async function endOf({ lastWords }: ServedImage, { message }: RouseError): Promise<string> {
	const said = await lastWords();
	return `the tool that reads it ended: ${said === '' ? message.replace(/^NBD server .*?: /, '') : said}`;
}

/** The server answered, and can be asked again for less. */
function isRefusal(error: unknown): boolean {
	return error instanceof RouseError && error.code === 'source_invalid';
}

async function firstUnreadable(
	{ client }: ServedImage,
	{ offsetBytes, into }: Read,
	signal: AbortSignal,
): Promise<number> {
	for (let at = 0; at < into.length; at += placeBytes) {
		try {
			await client.read(offsetBytes + at, into.subarray(at, at + placeBytes), signal);
		} catch {
			signal.throwIfAborted();
			return offsetBytes + at;
		}
	}
	return offsetBytes; // an error that has gone: the first answer counts
}

async function explained(served: ServedImage, path: string, offsetBytes: number, error: unknown): Promise<unknown> {
	if (!(error instanceof RouseError)) return error;
	const reason = error.code === 'source_invalid' ? refusalOf(error) : await endOf(served, error);
	return new RouseError(
		'source_invalid',
		`${path} is damaged: it cannot be read at offset ${offsetBytes} of its disk: ${reason}`,
		{
			hint: 'copy it again from where it is whole; a disk with bad sectors is copied as far as it goes by ddrescue',
			cause: error,
			details: { path, offsetBytes },
		},
	);
}
