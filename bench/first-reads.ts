/**
 * What it is worth to fetch first what a machine has read first in a drill: `node bench/first-reads.ts [ROUNDS] [DELAY_MS] [BOOTS]`
 * prints JSON, without and with in turn. Real movers; every request to the repository mover arrives late by so much (20 ms).
 * First a real guest under emulation, on an overlay over the mount mover: from power-on until its agent answers, and
 * until a service of it has read 24 MiB of files, which is when it counts as ready. Then the list of that boot alone, replayed:
 * one read of 4 KiB in each chunk, one after the other, with 0 and 5 ms between them for what a guest does with what it has read;
 * in its order, and in another in which no two neighbours follow one another, as in a system whose files lie scattered.
 * Nothing is fetched before power-on but what the start of QEMU leaves time for.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GuestConsole } from '../cli/demo/console.ts';
import { countOf, type FirstReads, placesOf, runsOf } from '../movers/first-reads.ts';
import { NbdClient } from '../nbd/client/client.ts';
import { waitFor } from '../system/wait.ts';
import { type MountMover, startMountMover } from '../test/equipment/mount-movers.ts';
import { allocateTarget, startMigrationMover, startRepositoryMover } from '../test/equipment/movers.ts';
import { SlowWay } from '../test/equipment/slow-way.ts';
import { type StoredDisk, storeDisk } from '../test/equipment/stored-disk.ts';

const rounds = Number(process.argv[2] ?? 3);
const delayMs = Number(process.argv[3] ?? 20);
const guests = Number(process.argv[4] ?? rounds);
const run = promisify(execFile);
const build = fileURLToPath(new URL('../tools/guest/build', import.meta.url));
/** As the supervisor gives it. */
const cacheBytes = 64 * 1024 * 1024;
const from = { drill: 'bench', at: new Date().toISOString() };
const late = { timeoutMs: 900_000 };

const directory = await mkdtemp(join(tmpdir(), 'rouse-bench-'));
let runs = 0;
try {
	const image = join(directory, 'guest.raw');
	await run(build, ['--size', '256', '--host-files', '24', image]);
	const stored = await storeDisk(join(directory, 'repository'), await readFile(image), {
		packBytes: 64 * 1024 * 1024,
	});
	const drill = await measured(stored, undefined, boots);
	const reads = drill.reads;
	print('drill', { chunks: countOf(reads), runs: reads.length }, drill);
	for (let boot = 0; boot < guests; boot += 1)
		for (const list of [undefined, reads])
			print('guest', { list: list !== undefined }, await measured(stored, list, boots));
	for (const [what, trace] of [['replay', reads] as const, ['replay, scattered', scattered(reads)] as const])
		for (let round = 0; round < rounds; round += 1)
			for (const thinkMs of [0, 5])
				for (const list of [undefined, trace]) {
					const replay = (mover: MountMover) => replays(mover, trace, thinkMs);
					print(what, { thinkMs, list: list !== undefined }, await measured(stored, list, replay));
				}
} finally {
	await rm(directory, { recursive: true, force: true });
}

type Work = (mover: MountMover, place: string) => Promise<Record<string, number>>;

interface Measured {
	seconds: Record<string, number>;
	counters: Record<string, number>;
	reads: FirstReads;
}

function print(what: string, how: Record<string, unknown>, { seconds, counters }: Measured): void {
	const { waitedReads, fetchedChunks, offersTaken } = counters;
	console.log(JSON.stringify({ what, ...how, ...seconds, waitedReads, fetchedChunks, offersTaken }));
}

/** With movers of its own, on a target of which nothing is restored. */
async function measured(stored: StoredDisk, list: FirstReads | undefined, work: Work): Promise<Measured> {
	const place = join(directory, String((runs += 1)));
	await mkdir(place);
	const endings: (() => unknown)[] = [];
	const t = { after: (end: () => unknown) => void endings.push(end) };
	try {
		const disk = await allocateTarget(place, stored.image);
		const repository = await startRepositoryMover(t, place, stored.directory);
		const chunkSocket = join(place, 'slow.sock');
		await SlowWay.to(t, repository.chunkSocket, { at: chunkSocket, delayMs });
		// It copies nothing, but takes what is fetched for the guest.
		await startMigrationMover(t, place, [disk], {}, { chunkSocket });
		const firstReads = list && { firstReads: { from, reads: list } };
		const mover = await startMountMover(t, place, [disk], { chunkSocket, cacheBytes, ...firstReads });
		const seconds = await work(mover, place);
		const { counters } = await mover.control.state({ timeoutMs: 60_000 });
		return { seconds, counters, reads: (await mover.control.firstReads({ timeoutMs: 60_000 })) ?? [] };
	} finally {
		for (const end of endings.toReversed()) await end();
	}
}

/** The same chunks: every seventeenth, then those behind these, and so on. */
function scattered(reads: FirstReads): FirstReads {
	const places = [...placesOf(reads)];
	const stride = 17;
	const firsts = Array.from({ length: stride }, (_, first) => first);
	return runsOf(firsts.flatMap(first => places.filter((_, at) => at % stride === first)));
}

async function boots(mover: MountMover, place: string): Promise<Record<string, number>> {
	const overlay = join(place, 'overlay.qcow2');
	const base = mover.uri('disk0-wait');
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', overlay]);
	const socket = join(place, 'console.sock');
	const startedAt = performance.now();
	const machine = spawn(
		'qemu-system-x86_64',
		[
			['-machine', 'q35', '-accel', 'tcg', '-cpu', 'max,erms=off,fsrm=off', '-m', '256'],
			['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
			['-chardev', `socket,id=console,path=${socket},server=on,wait=off`, '-device', 'isa-serial,chardev=console'],
			['-drive', `if=none,id=disk,format=qcow2,file=${overlay}`, '-device', 'virtio-blk-pci,drive=disk,bootindex=0'],
		].flat(),
		{ stdio: ['ignore', 'ignore', 'inherit'] },
	);
	const since = () => Math.round(performance.now() - startedAt) / 1000;
	try {
		const console = await waitFor('the console', () => GuestConsole.open(socket).catch(() => undefined), late);
		await console.ready(late);
		const agent = since();
		await console.command('read /payload', /^read \d+ \d+ \w+$/, late);
		return { agent, ready: since() };
	} finally {
		machine.kill('SIGKILL');
	}
}

async function replays(mover: MountMover, reads: FirstReads, thinkMs: number): Promise<Record<string, number>> {
	const { signal } = new AbortController();
	const address = { path: mover.config.nbdSocket };
	const client = await NbdClient.open({ address, exportName: 'disk0-wait' }, signal);
	const chunkBytes = mover.config.disks[0]?.image.chunkSizeBytes ?? 0;
	const into = Buffer.alloc(4096);
	const startedAt = performance.now();
	for (const { index } of placesOf(reads)) {
		await client.read(index * chunkBytes, into, signal);
		if (thinkMs > 0) await delay(thinkMs);
	}
	const ready = Math.round(performance.now() - startedAt) / 1000;
	await client.close();
	return { ready };
}
