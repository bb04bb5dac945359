import { unreadable } from '../volume.ts';
import type { ByteReader } from './byte-reader.ts';

/** https://docs.kernel.org/driver-api/early-userspace/buffer-format.html: "newc", without and with checksums. */
const headerBytes = 110;
const magics = ['070701', '070702'];
const endName = 'TRAILER!!!';
/** PATH_MAX of Linux, which ends each name with a zero. */
const mostNameBytes = 4096;

export interface CpioEntry {
	/** Without `./` before it. */
	name: string;
	sizeBytes: number;
	/** Undefined where nobody asked for it. */
	content: Buffer | undefined;
}

export function isCpio(start: Buffer): boolean {
	return magics.includes(start.toString('latin1', 0, 6));
}

/** The files of one archive, which ends behind its trailer. `wants` says of which the content is read. */
export async function* readCpio(
	reader: ByteReader,
	wants: (name: string, sizeBytes: number) => boolean,
): AsyncGenerator<CpioEntry> {
	// Names and contents begin at multiples of four, counted from where the archive does.
	const start = reader.takenBytes;
	const pad = () => reader.skip(-(reader.takenBytes - start) & 3);
	for (;;) {
		const header = await reader.take(headerBytes);
		if (!isCpio(header)) throw unreadable('an archive of an initramfs is damaged');
		const sizeBytes = field(header, 54);
		const nameBytes = field(header, 94);
		if (nameBytes < 1 || nameBytes > mostNameBytes)
			throw unreadable('an archive of an initramfs has a name without end');
		const name = (await reader.take(nameBytes)).toString('utf8', 0, nameBytes - 1);
		await pad();
		if (name === endName) return;
		const path = name.replace(/^(\.?\/)+/, '');
		if (wants(path, sizeBytes)) yield { name: path, sizeBytes, content: await reader.take(sizeBytes) };
		else {
			await reader.skip(sizeBytes);
			yield { name: path, sizeBytes, content: undefined };
		}
		await pad();
	}
}

function field(header: Buffer, at: number): number {
	const text = header.toString('latin1', at, at + 8);
	if (!/^[0-9a-f]{8}$/i.test(text)) throw unreadable('an archive of an initramfs is damaged');
	return Number.parseInt(text, 16);
}
