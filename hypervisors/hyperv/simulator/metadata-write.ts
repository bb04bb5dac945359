import { writeFile } from 'node:fs/promises';
import { asRouseError } from '../../../model/errors.ts';
import { runTool } from '../../../system/run-tool.ts';
import { nbdUri } from '../../../nbd/protocol/uri.ts';

/**
 * What Windows has of a volume's metadata goes to its disk, and the disk's cache is flushed: here some bytes that are there
 * already, so that nothing changes. False when that is not answered in time.
 */
export async function writeBack(
	{ socket, exportName }: { socket: string; exportName: string },
	{ atBytes, bytes }: { atBytes: number; bytes: Uint8Array },
	withinMs: number,
): Promise<boolean> {
	const pattern = `${socket}.pattern`;
	await writeFile(pattern, bytes, { mode: 0o600 });
	const commands = [`write -s ${pattern} ${atBytes} ${bytes.length}`, 'flush'];
	const args = ['-f', 'raw', '-t', 'none', ...commands.flatMap(one => ['-c', one]), nbdUri(socket, exportName)];
	try {
		const { code } = await runTool('qemu-io', args, { hint: 'apt-get install qemu-utils', wholeMs: withinMs });
		return code === 0;
	} catch (error) {
		if (asRouseError(error).code === 'timeout') return false;
		throw error;
	}
}
