/**
 * `node hypervisors/hyperv/selftest/main.ts REQUEST`: the self test of the Windows host of this installation, in a process of
 * its own. What it says is in lines of its standard output (model/selftest.ts). When its standard input ends, or it gets
 * SIGTERM, it stops, removes what it has made, and says so.
 */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { asRouseError, RouseError } from '../../../model/errors.ts';
import type { SelftestLine, SelftestReport } from '../../../model/selftest.ts';
import {
	homeDirectory,
	type Installation,
	loadConfig,
	openInstallation,
	places,
} from '../../../system/installation.ts';
import { setPrivateUmask } from '../../../system/private-umask.ts';
import { overlaySchema } from '../hardware.ts';
import { settingsOver } from '../over-ssh.ts';
import { recordOverlay } from '../overlay-of-host.ts';
import type { HostSettings } from '../parts.ts';
import { hostSettings } from '../platform.ts';
import { selftest } from './selftest.ts';
import { timesSchema } from './times.ts';

const requestSchema = z.strictObject({
	version: z.string(),
	long: z.boolean(),
	/** What a test has otherwise: where disks are shown, their size, how long things last. */
	roots: z.strictObject({ sys: z.string(), dev: z.string() }).optional(),
	diskBytes: z.int().min(1).optional(),
	times: timesSchema.optional(),
});

const cmdletsSchema = z.record(z.string(), z.array(z.string()));

setPrivateUmask();
const interrupt = new AbortController();
const stop = () => interrupt.abort(new RouseError('interrupted', 'the self test was interrupted'));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
process.stdin.on('end', stop).on('error', stop).resume();
// Nobody listens any more: what is on the host must go all the same.
process.stdout.on('error', stop);

try {
	const installation = await openInstallation(homeDirectory());
	await run(installation, requestSchema.parse(JSON.parse(process.argv[2] ?? '')));
} catch (error) {
	say({ type: 'error', error: asRouseError(error).toDocument() });
}
process.stdout.write('', () => process.exit());

async function run(installation: Installation, request: z.infer<typeof requestSchema>): Promise<void> {
	const { roots, ...rest } = request;
	const { host } = await loadConfig(installation);
	if (host.hyperv === undefined)
		throw new RouseError('config_invalid', `${host.name} is of kind ${host.kind}: it has no Windows host`);
	const settings = hostSettings({ ...settingsOver(host.hyperv, installation.home), ...(roots ? { roots } : {}) });
	const report = await selftest({
		...rest,
		settings,
		directory: places.selftest(installation.home),
		runDirectory: installation.runDirectory,
		cmdlets: cmdletsSchema.parse(JSON.parse(await readFile(new URL('used-cmdlets.json', import.meta.url), 'utf8'))),
		signal: interrupt.signal,
		message: message => say({ type: 'message', message }),
		trying: name => say({ type: 'trying', name }),
		tell: check => say({ type: 'check', check }),
	});
	if (!report.interrupted) await keepFinding(installation.home, report, settings);
	say({ type: 'report', report });
}

/** A host that does not answer is none of which anything was found. */
async function keepFinding(
	home: string,
	{ checks, settings }: SelftestReport,
	{ driver }: HostSettings,
): Promise<void> {
	if (checks.find(({ name }) => name === 'driver-answers')?.outcome !== 'as_expected') return;
	const chosen = settings.find(({ what }) => what === 'overlay')?.chosen;
	await recordOverlay(home, overlaySchema.parse(chosen), driver);
}

function say(line: SelftestLine): void {
	process.stdout.write(`${JSON.stringify(line)}\n`);
}
