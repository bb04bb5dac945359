import { resolve } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import type { ImportResult } from '../../repository/import/import-machine.ts';
import { type GivenTold, importGiven } from '../../sources/given/import-given.ts';
import { refuseGiven } from '../../sources/given/refuse-given.ts';
import type { ImageFormat } from '../../sources/image-format.ts';
import { readStatedSpec } from '../../sources/machine-spec.ts';
import type { Context } from '../terminal/command.ts';
import { formatDuration } from '../terminal/format.ts';
import { formatLocalTime } from '../terminal/format-time.ts';
import { credentialNamed } from './credential.ts';
import { ImportBars } from './import-bars.ts';
import { withRepository } from './restore-point.ts';

/** What was said on the command line. */
interface ImportOptions {
	machine?: string | undefined;
	spec?: string | undefined;
	configuration?: string | undefined;
	credential?: string | undefined;
	spool?: string | undefined;
	at?: string | undefined;
	future?: true | undefined;
	format?: ImageFormat | undefined;
	withBacking?: true | undefined;
	partial?: true | undefined;
	repo?: string | undefined;
}

export async function runImport(context: Context, sources: readonly string[], options: ImportOptions): Promise<void> {
	const { output } = context;
	const stated = options.spec === undefined ? {} : await readStatedSpec(options.spec);
	if (options.at !== undefined && !options.future) refuseFuture(options.at);
	const now = new Date().toISOString();
	const { machine, at, format, withBacking, partial, configuration } = options;
	const credentialPath = await credentialNamed(context, options.credential);
	const spoolDirectory = options.spool === undefined ? null : resolve(options.spool);
	const said = { sources, machine, stated, format, withBacking, partial, configuration, at, now };
	const given = { ...said, credentialPath, spoolDirectory };
	refuseGiven(given);
	const bars = new ImportBars(output);
	const result = await withRepository(context, options.repo, async repository => {
		try {
			return await importGiven(repository, given, toldBy(context, bars));
		} finally {
			bars.end();
		}
	});
	for (const warning of result.warnings) output.warn(warning);
	output.result(result, importText(result));
}

/** Clocks differ by so much, and nobody means it. */
const clockSkewMs = 60_000;

/** Such a point would be the latest one for as long as that takes. */
function refuseFuture(time: string): void {
	if (Date.parse(time) <= Date.now() + clockSkewMs) return;
	throw new RouseError('usage', `--at ${time} is still to come`, { hint: 'say --future if that is right' });
}

function toldBy({ output, signal }: Context, bars: ImportBars): GivenTold {
	return {
		signal,
		onNote: message => output.message(message),
		onDoubt: warning => output.warn(warning),
		onGoingOn: begunAt => output.message(`going on with the import begun at ${formatLocalTime(begunAt)}`),
		onOpened: () => bars.end(),
		onLook: (note, { doneBytes: done, totalBytes: total }) => bars.show('looking at', { done, total, note }),
		onProgress: ({ machine, doneBytes: done, totalBytes: total, newBytes }) =>
			bars.show(`importing ${machine}`, { done, total, note: `${formatBytes(newBytes)} new` }),
	};
}

function importText({ machine, restorePoint, disks, newBytes, storedBytes, durationMs }: ImportResult): string {
	const size = formatBytes(disks.reduce((sum, disk) => sum + disk.sizeBytes, 0));
	const count = disks.length === 1 ? 'one disk' : `${disks.length} disks`;
	return [
		`${machine}@${restorePoint}: ${count} of ${size} in ${formatDuration(durationMs)}`,
		`${formatBytes(newBytes)} were new and take ${formatBytes(storedBytes)}`,
		`Next: rouse recover start ${machine}@${restorePoint}`,
	].join('\n');
}
