import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freshChapSecret } from '../../hypervisors/hyperv/iscsi/chap.ts';
import { type IscsiTarget, targetPaths } from '../../hypervisors/hyperv/iscsi/definition.ts';
import { startTarget, stopTarget } from '../../hypervisors/hyperv/iscsi/target.ts';
import { NbdClient } from '../../nbd/client/client.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { captive, temporaryDirectory } from './captive.ts';
import { run } from './served-disk.ts';
import { freePort } from '../../system/free-port.ts';

/** A target that nobody has started, for a mover's volume; it goes with the test. */
export async function sampleTarget(t: Pick<TestContext, 'after'>, nbdSocket: string): Promise<IscsiTarget> {
	return {
		directory: await temporaryDirectory(t, directory => stopTarget({ directory })),
		iqn: 'iqn.2026-11.example.rouse:web01-r1',
		address: '127.0.0.1',
		port: await freePort(),
		chapSecret: freshChapSecret(),
		serial: '0b9c3f526f0d4a538f0e5a0d6e4b1c2d',
		nbdSocket,
		exportName: 'volume',
	};
}

export async function startSampleTarget(t: Pick<TestContext, 'after'>, nbdSocket: string): Promise<IscsiTarget> {
	const target = await sampleTarget(t, nbdSocket);
	await startTarget(target);
	return target;
}

/** For the tools of libiscsi: the portal, or what is behind it. */
export function iscsiUrl({ address, port, chapSecret }: IscsiTarget, path = '', secret = chapSecret): string {
	return `iscsi://rouse%${secret}@${address}:${port}/${path}`;
}

/** The volume, for the tools of libiscsi and QEMU. */
export function unitUrl(target: IscsiTarget, secret?: string): string {
	return iscsiUrl(target, `${target.iqn}/1`, secret);
}

/** qemu-io on the volume, as these commands tell it, past caches. */
export function qemuIo(target: IscsiTarget, commands: readonly string[]): string[] {
	return ['-f', 'raw', '-t', 'none', ...commands.flatMap(one => ['-c', one]), unitUrl(target)];
}

/** QEMU's initiator, logged in, as an NBD server; returns what connects to it. It takes 16 requests at once a connection. */
export async function qemuInitiator(
	t: Pick<TestContext, 'after'>,
	{ address, port, iqn, chapSecret }: IscsiTarget,
): Promise<() => Promise<NbdClient>> {
	const path = join(await temporaryDirectory(t), 'lun.sock');
	const daemon = captive(t, 'qemu-storage-daemon', [
		'--object',
		`secret,id=chap,data=${chapSecret}`,
		'--blockdev',
		`driver=iscsi,node-name=lun,transport=tcp,portal=${address}:${port},target=${iqn},lun=1,user=rouse,password-secret=chap`,
		'--nbd-server',
		`addr.type=unix,addr.path=${path},max-connections=0`,
		'--export',
		'type=nbd,id=lun,node-name=lun,name=lun',
	]);
	const never = new AbortController().signal;
	const connect = () => NbdClient.open({ address: { path }, exportName: 'lun' }, never);
	const serves = async () => {
		if (daemon.child.exitCode !== null) throw new Error(daemon.said());
		return connect().then(
			client => client.close().then(() => true),
			() => false,
		);
	};
	await waitFor('the initiator to serve', serves, { timeoutMs: 20_000 });
	return connect;
}

/** Locks and logs stay: of what runs, is mounted or listens, nothing. */
export async function assertNothingLeft(target: IscsiTarget): Promise<void> {
	const paths = targetPaths(target);
	for (const lock of [paths.storageLock, paths.daemonLock]) assert.equal(await lockHolder(lock), undefined);
	assert.ok(!(await readFile('/proc/self/mountinfo', 'utf8')).includes(target.directory));
	const stays = new Set(['storage.lock', 'storage.log', 'tgtd.lock', 'tgtd.log']);
	assert.deepEqual(
		(await readdir(target.directory)).filter(name => !stays.has(name)),
		[],
	);
	await assert.rejects(run('iscsi-ls', [iscsiUrl(target)]), /onnection refused|connect/);
}
