/**
 * A physical machine as people have them, but for its metal: a Debian whose root is on LVM over two disks, backed up over SSH by commands
 * alone while it writes, then what has changed; with connections that are cut, and a snapshot that overflows. Two of its points are recovered.
 */
import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import * as z from 'zod';
import { GuestConsole } from '../../cli/demo/console.ts';
import { knownHostLine } from '../../hypervisors/hyperv/host-setup/names.ts';
import { importProgressSchema } from '../../model/import-view.ts';
import { quietLvm } from '../../sources/ssh/far/quiet-lvm.ts';
import { SshFarSide } from '../../sources/ssh/far/ssh.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EmbeddedInstallation, shownSchema } from '../equipment/embedded-installation.ts';
import { Line } from '../equipment/line.ts';
import { lvmGuest, type LvmGuest } from '../equipment/lvm-guest/guest.ts';

const { signal } = new AbortController();
const mib = 2 ** 20;
/** Emulation on a busy machine is slow: these say that something hangs, not that it is slow. */
const soon = { timeoutMs: 300_000 };
const late = { timeoutMs: 900_000, everyMs: 1000 };

const readsSchema = z.array(z.looseObject({ reads: z.enum(['changes', 'all']) }));
const planSchema = z.looseObject({ consistency: z.string(), warnings: z.array(z.string()), disks: readsSchema });
const statusSchema = z.looseObject({
	phase: z.string(),
	outcome: z.enum(['imported', 'failed']).nullable(),
	restorePoint: z.string().nullable(),
	consistency: z.string().nullable(),
	disks: readsSchema,
	figures: z.object({ newBytes: z.int(), storedBytes: z.int() }).nullable(),
	progress: importProgressSchema.nullable(),
	lastFailure: z.string().nullable(),
	failure: z.looseObject({ code: z.string() }).nullable(),
});

test('a machine with its root on LVM is backed up over SSH while it writes, and boots from what was backed up', async t => {
	const guest = await lvmGuest(t, await temporaryDirectory(t));
	const line = await Line.to(t, guest.destination.port);
	await appendFile(guest.destination.knownHostsPath, `${knownHostLine('127.0.0.1', line.port, guest.hostKey)}\n`);
	const here = await EmbeddedInstallation.up(t, configFor(guest, line.port));
	const far = new SshFarSide(guest.destination);
	const there = async (script: string): Promise<string> => {
		const { code, stdout, said } = await far.run(script, [], signal);
		assert.equal(code, 0, said);
		return stdout.toString('utf8').trim();
	};
	const status = async () => statusSchema.parse(await here.answer('backup', 'status', 'db1'));
	const over = () =>
		waitFor(
			'the backup to be over',
			async () => ((await status()).phase === 'over' ? await status() : undefined),
			late,
		);
	const backedUp = async () => {
		await here.answer('backup', 'start', 'db1');
		const { outcome, consistency, restorePoint, figures, failure } = await over();
		assert.deepEqual([failure, outcome, consistency], [null, 'imported', 'file-system']);
		assert.ok(restorePoint !== null && figures !== null);
		return { restorePoint, figures };
	};
	/** Twenty megabytes are new, and some of them are read. */
	const inTheMiddle = async () => {
		await there('head -c 20000000 /dev/urandom >/data/more; sync');
		await here.answer('backup', 'start', 'db1', '--max-rate', '1MiB');
		const reads = async () => ((await status()).progress?.readBytes ?? 0) > 0;
		await waitFor('the copy to be under way', reads, late);
	};

	await there('touch /run/mark');
	await guest.console.command('write 12 500', /^wrote 12$/, soon);
	const plan = planSchema.parse(await here.answer('backup', 'plan', 'db1'));
	assert.deepEqual([plan.consistency, ...plan.disks.map(({ reads }) => reads)], ['file-system', 'all', 'all']);

	await guest.console.command('start 1', /^started$/, soon);
	await waitFor('the guest to write', async () => (await counted(guest.console)) > 16, late);
	const safe = await counted(guest.console);
	const first = await backedUp();
	assert.ok((await counted(guest.console)) > safe, 'it has written meanwhile');
	await nothingIsLeft(there);

	await guest.console.command('stop', /^stopped \d+$/, soon);
	const written = await counted(guest.console);
	await inTheMiddle();
	line.cut();
	await waitFor('the cut to be noticed', async () => (await status()).lastFailure !== null, late);
	line.mend();
	const second = await over();
	assert.deepEqual([second.failure, second.outcome], [null, 'imported']);
	assert.ok(second.disks.every(({ reads }) => reads === 'changes'));
	await nothingIsLeft(there);

	const before = line.bytesDown;
	const third = await backedUp();
	t.diagnostic(`${line.bytesDown - before} bytes were sent, ${third.figures.newBytes} were new`);
	assert.ok(line.bytesDown - before < 4 * mib, `${line.bytesDown - before} bytes were sent where nothing has changed`);
	assert.ok(third.figures.newBytes < 4 * mib, `${third.figures.newBytes} bytes were new`);

	await inTheMiddle();
	await there('rm /data/more; dd if=/dev/zero of=/data/flood bs=1M 2>/dev/null || sync; rm /data/flood; sync');
	const lost = await over();
	assert.deepEqual([lost.outcome, lost.failure?.code], ['failed', 'moment_lost']);
	await nothingIsLeft(there);
	assert.equal(await there('find / -xdev -newer /run/mark ! -type d'), '', 'files that are new on its root');

	await guest.machine.end('SIGKILL');
	assert.ok((await verifiedFiles(t, here, 'first', first.restorePoint)) >= safe);
	assert.equal(await verifiedFiles(t, here, 'third', third.restorePoint), written);
});

function configFor({ destination: { identityPath, knownHostsPath } }: LvmGuest, port: number): string {
	return [
		`credentials: {key: {file: ${JSON.stringify(identityPath)}}}`,
		`sources: {db1: {uri: "ssh://root@127.0.0.1:${port}/", credential: key, knownHostsFile: ${JSON.stringify(knownHostsPath)}}}`,
		'',
	].join('\n');
}

async function counted(console: GuestConsole): Promise<number> {
	return Number((await console.command('count', /^count (\d+)$/, soon))[1]);
}

/** No snapshot, no device of one, and in the end no process. */
async function nothingIsLeft(there: (script: string) => Promise<string>): Promise<void> {
	assert.deepEqual((await there(`lvs ${quietLvm} --noheadings -o lv_name`)).split(/\s+/).toSorted(), [
		'data',
		'root',
		'swap',
	]);
	const devices = (await there('dmsetup ls')).split('\n').map(row => row.split('\t')[0]);
	assert.deepEqual(devices.toSorted(), ['vg--main-data', 'vg--main-root', 'vg--main-swap']);
	const agents = `cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'compil[e](text, "agent"' || :`;
	const ended = async () => (await there(agents)) === '0';
	await waitFor('the agents to end', ended, { timeoutMs: 180_000, everyMs: 1000 });
}

/** Recovered on QEMU, and started from its own boot loader, kernel, initramfs and root: how many files of its manifest are whole. */
async function verifiedFiles(t: TestContext, here: EmbeddedInstallation, name: string, time: string): Promise<number> {
	const start = ['recover', 'start', `db1@${time}`, '--name', name, '--switch', 'manual'];
	const running = shownSchema.parse(await here.answer(...start));
	const console = await GuestConsole.open(running.consoleSocket ?? '');
	t.after(() => console.close());
	await console.waitFor(/^ROUSE-GUEST firmware=bios root=\/dev\/mapper\/vg--main-root /, late);
	await console.ready(soon);
	const [, ok, bad] = await console.command('verify', /^ok (\d+) bad (\d+)$/, soon);
	assert.equal(bad, '0');
	await console.command('poweroff', /^bye$/, soon);
	return Number(ok);
}
