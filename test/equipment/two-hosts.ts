/** An installation with two hosts, both homes on this machine, each with its own supervisor, host worker and datastore. */
import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as z from 'zod';
import { mostAtOnce, type Stay, stayOf } from '../../cli/demo/batch/stays.ts';
import { changeConfig } from '../../system/change-config.ts';
import { freePort } from '../../system/free-port.ts';
import { findInstallation, openInstallation } from '../../system/installation.ts';
import { temporaryDirectory } from './captive.ts';
import { rouse } from './command-line.ts';
import { EmbeddedInstallation, endInstallation } from './embedded-installation.ts';
import { fastDirectory } from './simulated-bench.ts';
import { packFiles } from './stored-disk.ts';

export const auditSchema = z.looseObject({
	entries: z.array(
		z.looseObject({
			at: z.iso.datetime(),
			kind: z.string(),
			text: z.string(),
			step: z.string().optional(),
			durationMs: z.number().optional(),
		}),
	),
});

export interface TwoHosts {
	/** With Temporal and the repository, and as the host `kvm1`. */
	control: EmbeddedInstallation;
	/** Another home, which was joined as `kvm2`. */
	there: EmbeddedInstallation;
}

/** `places`: how many recoveries each of them takes at once. `stored` puts backups into the repository. */
export async function twoHosts(
	t: TestContext,
	kind: 'simulated' | 'qemu',
	{ places, stored }: { places: number; stored: (repository: string) => Promise<void> },
): Promise<TwoHosts> {
	const [door, port] = [await freePort(), await freePort()];
	const serve = `serve: {address: 127.0.0.2, temporal: ${door}, repositories: {main: ${port}}}`;
	const own = `host: {name: kvm1, kind: ${kind}, recoveries: ${places}}`;
	const control = await EmbeddedInstallation.up(t, `${own}\n${serve}\n`, fastDirectory);
	await stored(control.repository);
	const directory = await temporaryDirectory(t, async path => {
		const made = await findInstallation(join(path, 'home'));
		if (made) await endInstallation(made);
	});
	const [invitation, home] = [join(directory, 'kvm2.invitation'), join(directory, 'home')];
	await control.answer('host', 'invite', 'kvm2', '--to', invitation);
	const joined = await rouse(home, ['host', 'join', invitation, '--json']);
	assert.equal(joined.exitCode, 0, joined.stderr);
	await changeConfig({ home }, document => {
		document.setIn(['host', 'kind'], kind);
		document.setIn(['host', 'recoveries'], places);
	});
	return { control, there: await EmbeddedInstallation.over(t, await openInstallation(home)) };
}

/** The pack in which these bytes lie, changed there by one bit; gives what makes it whole again. */
export async function damagePack(repository: string, content: Buffer): Promise<() => Promise<void>> {
	for (const pack of await packFiles(repository)) {
		const bytes = await readFile(pack);
		const at = bytes.indexOf(content);
		if (at < 0) continue;
		const { mode } = await stat(pack);
		const changed = Buffer.from(bytes);
		changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
		await writeFile(pack, changed, { mode });
		return () => writeFile(pack, bytes, { mode });
	}
	throw new Error('no pack has it');
}

export type HostStay = Stay & { name: string; host: string };

/** By its audit: from when to when a recovery that is finished had a place, and of which host. */
export async function hostStayOf(control: EmbeddedInstallation, name: string): Promise<HostStay> {
	const { entries } = auditSchema.parse(await control.answer('audit', name));
	const { host } = await control.show(name);
	return { name, host, ...stayOf(name, entries) };
}

export function mustHaveKeptTo(places: number, stays: readonly HostStay[]): void {
	for (const host of new Set(stays.map(stay => stay.host))) {
		const ofHost = stays.filter(stay => stay.host === host);
		assert.ok(mostAtOnce(ofHost) <= places, `${host}: ${JSON.stringify(ofHost)}`);
	}
}
