import { RouseError } from '../../../model/errors.ts';
import { exists } from '../../../system/if-there.ts';
import { runTool } from '../../../system/run-tool.ts';
import { headerBytes, headersAtBytes } from '../../../vhdx/constants.ts';
import { FieldReader } from '../../../vhdx/field-reader.ts';
import { DiskFile } from './disk-file.ts';

/**
 * Brings into a VHDX what its log holds, as vhdmp does when it opens a file that was not closed ([MS-VHDX] 2.3.3): a target
 * whose appliance lost its power. QEMU wrote that log, and replays it. MAY find no file, or none that is a VHDX.
 */
export async function replayLog(place: string): Promise<void> {
	if (!(await exists(place)) || !(await hasLog(place))) return;
	const hint = 'apt-get install qemu-utils';
	const { code, tail } = await runTool('qemu-img', ['check', '-r', 'all', '-f', 'vhdx', place], {
		hint,
		wholeMs: 60_000,
	});
	if (code !== 0)
		throw new RouseError('tool_failed', `qemu-img check -r all ${place} ended with ${code}: ${tail.join(' ')}`);
}

async function hasLog(place: string): Promise<boolean> {
	const file = await DiskFile.open(place, place, 'r');
	try {
		if (file.sizeBytes < headersAtBytes[1] + headerBytes) return false;
		const headers = await Promise.all(
			headersAtBytes.map(async at => new FieldReader(await file.read(at, headerBytes))),
		);
		const newest = headers.reduce((one, other) => (other.u64(8) > one.u64(8) ? other : one));
		return !newest.isZero(48, 16);
	} finally {
		await file.close();
	}
}
