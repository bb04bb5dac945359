/** Which overlays machines get that are planned: those by checkpoint only where a self test has seen that this host can. */
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { replaceFileDurably } from '../../system/durable-file.ts';
import type { HypervHost } from '../../system/hyperv-host.ts';
import { readIfThere } from '../../system/if-there.ts';
import { places } from '../../system/installation.ts';
import { jsonOf } from '../../system/json-of.ts';
import type { CallOptions } from '../contract.ts';
import type { Driver } from './driver/driver.ts';
import { type Overlay, overlaySchema } from './hardware.ts';

const findingSchema = z.strictObject({
	version: z.literal(0),
	overlay: overlaySchema,
	/** Of what it was found: of another host, or after an update of Windows, it says nothing. */
	computerName: z.string(),
	windows: z.string(),
	foundAt: z.iso.datetime(),
});

/** Of a self test that came to its end: what an earlier one has found counts no more. */
export async function recordOverlay(home: string, overlay: Overlay, driver: Driver): Promise<void> {
	const { computerName, windows } = await driver.ask('hello', {});
	const finding: z.infer<typeof findingSchema> = {
		version: 0,
		overlay,
		computerName,
		windows,
		foundAt: new Date().toISOString(),
	};
	await replaceFileDurably(places.hypervOverlay(home), `${JSON.stringify(finding)}\n`);
}

export interface PlannedOverlay {
	overlay: Overlay;
	/** Why it is not what a self test has found, and what to do. */
	warning?: string;
}

/** `config`: what config.yaml says, which may only forbid. */
export async function overlayOfHost(
	config: Pick<HypervHost, 'overlay'>,
	home: string,
	driver: Driver,
	options: CallOptions,
): Promise<PlannedOverlay> {
	if (config.overlay === 'child') return { overlay: 'child' };
	const finding = await readFinding(places.hypervOverlay(home));
	if (finding?.overlay !== 'checkpoint') return { overlay: 'child' };
	const { computerName, windows } = await driver.ask('hello', {}, options);
	if (finding.computerName === computerName && finding.windows === windows) return { overlay: 'checkpoint' };
	return {
		overlay: 'child',
		warning: `the self test found overlays by checkpoint good on ${finding.computerName} with Windows ${finding.windows}, and this is ${computerName} with Windows ${windows}: its overlays are children until rouse host selftest has found it again`,
	};
}

async function readFinding(path: string): Promise<z.infer<typeof findingSchema> | undefined> {
	const text = await readIfThere(path);
	if (text === undefined) return undefined;
	const parsed = findingSchema.safeParse(jsonOf(text));
	if (parsed.success) return parsed.data;
	throw new RouseError('format_damaged', `${path} is no finding of a self test`, {
		cause: parsed.error,
		hint: `remove it, and run rouse host selftest again where machines are to have overlays by checkpoint`,
	});
}
