import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { MountMoverControl } from '../../movers/client.ts';
import type { MountMoverConfig, MountMoverState, MoverDisk } from '../../movers/config.ts';
import { NbdClient } from '../../nbd/client/client.ts';
import { nbdUri } from '../../nbd/protocol/uri.ts';
import { waitFor } from '../../system/wait.ts';
import type { Captive } from './captive.ts';
import { sampleRecoveryId, startMover } from './movers.ts';

export interface MountMover extends Captive {
	config: MountMoverConfig;
	control: MountMoverControl;
	uri: (exportName: string) => string;
}

/** A mount mover that answers; it takes the place of one that was killed in the same directory. */
export async function startMountMover(
	t: Pick<TestContext, 'after'>,
	directory: string,
	disks: MoverDisk[],
	changed: Partial<MountMoverConfig> = {},
): Promise<MountMover> {
	const config: MountMoverConfig = {
		recoveryId: sampleRecoveryId,
		disks,
		nbdSocket: join(directory, 'nbd.sock'),
		controlSocket: join(directory, 'mount-mover.sock'),
		chunkSocket: join(directory, 'chunks.sock'),
		offerSocket: join(directory, 'offer.sock'),
		cacheBytes: 32 * 1024 * 1024,
		recordsFirstReads: true,
		aloneMs: 60_000,
		...changed,
	};
	const configPath = join(directory, 'mount-mover.json');
	await writeFile(configPath, JSON.stringify(config));
	const mover = startMover(t, 'mount', configPath);
	const control = new MountMoverControl(config.controlSocket);
	await waitFor(
		'mount mover to serve',
		() => {
			if (mover.child.exitCode !== null) throw new Error(`mount mover: ${mover.said()}`);
			return mover.said().includes('"serving"');
		},
		{ timeoutMs: 20_000 },
	);
	return { ...mover, config, control, uri: name => nbdUri(config.nbdSocket, name) };
}

/** Waits until the state is as wanted. */
export async function mountState(
	mover: MountMover,
	what: string,
	wanted: (state: MountMoverState) => boolean,
): Promise<MountMoverState> {
	return waitFor(
		`mount mover: ${what}`,
		async () => {
			const state = await mover.control.state();
			return wanted(state) && state;
		},
		{ timeoutMs: 30_000 },
	);
}

/** A connection to an export that is closed with the test. */
export async function connectTo(
	t: Pick<TestContext, 'after'>,
	mover: MountMover,
	exportName: string,
): Promise<{ read: (offset: number, length: number) => Promise<Buffer>; hangUp: () => Promise<void> }> {
	const { signal } = new AbortController();
	const client = await NbdClient.open({ address: { path: mover.config.nbdSocket }, exportName }, signal);
	const gone = new AbortController();
	t.after(() => gone.abort());
	t.after(() => client.close());
	return {
		async read(offset, length) {
			const into = Buffer.alloc(length);
			await client.read(offset, into, gone.signal);
			return into;
		},
		hangUp: async () => gone.abort(),
	};
}
