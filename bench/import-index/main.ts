/**
 * An import into a repository of many chunks, as far as the index goes: `node bench/import-index/main.ts [CHUNKS]
 * [CHUNKS_PER_PACK] [ROUNDS]`. The indexes are written by our own writer from digests that are made up; of the packs only the
 * names are there, and the footers of those whose chunks are looked up. Prints JSON: opening, 100,000 chunks that are new, 100,000 that
 * are known, pack by pack, 300 that are known and each in another pack; and the peak memory of the process.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { keys } from '../../repository/format/keys.ts';
import { writeIndex } from '../../repository/index/write-index.ts';
import { DirectoryStore } from '../../repository/store/directory.ts';
import { knownRounds, packOfRound, scatteredLookups, type SimulatedIndex, simulatedIndexes } from './simulated.ts';

const chunks = Number(process.argv[2] ?? 50_000_000);
const chunksPerPack = Number(process.argv[3] ?? 1000);
const rounds = Number(process.argv[4] ?? 3);
const directory = await mkdtemp(join(process.env['ROUSE_BENCH_DIRECTORY'] ?? tmpdir(), 'rouse-index-'));

async function makeRepository(): Promise<void> {
	const store = new DirectoryStore(directory);
	const indexes = simulatedIndexes(chunks, chunksPerPack);
	for (const simulated of indexes) {
		for (let pack = 0; pack < simulated.packs; pack += 1) {
			const path = join(directory, keys.pack(simulated.packId(pack)));
			await mkdir(dirname(path), { recursive: true });
			await writeFile(path, '');
		}
		const content = { packs: simulated.table(), superseded: [], maxRecords: simulated.records };
		await writeIndex(store, { ...content, records: () => simulated.blocks() });
	}
	await store.close();
	const lookedUp = knownRounds(chunksPerPack) + scatteredLookups;
	for (let round = 0; round < lookedUp; round += 1) await writePackEnd(packOfRound(indexes, round));
}

/** The rest of the pack is a hole. */
async function writePackEnd({ from, pack }: { from: SimulatedIndex; pack: number }): Promise<void> {
	const end = from.packEnd(pack);
	const file = await open(join(directory, keys.pack(from.packId(pack))), 'r+');
	try {
		await file.truncate(from.packBytes);
		await file.write(end, 0, end.length, from.packBytes - end.length);
	} finally {
		await file.close();
	}
}

/** Proportional set size: what the process has for itself, and its share of what it has with others. */
async function pssMiB(pid: number): Promise<number> {
	const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
	return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1024;
}

async function measure(): Promise<string> {
	let peak = 0;
	const { promise, resolve, reject } = Promise.withResolvers<string>();
	const child = execFile(
		process.execPath,
		[join(import.meta.dirname, 'lookups.ts'), directory, String(chunks), String(chunksPerPack)],
		(error, stdout) => (error ? reject(error) : resolve(stdout)),
	);
	const timer = setInterval(() => {
		void pssMiB(child.pid ?? 0).then(pss => (peak = Math.max(peak, pss)));
	}, 25);
	try {
		const measured: unknown = JSON.parse(await promise);
		return JSON.stringify({ chunks, chunksPerPack, measured, peakPssMiB: Math.round(peak), load: loadavg()[0] });
	} finally {
		clearInterval(timer);
	}
}

try {
	const started = performance.now();
	await makeRepository();
	console.log(JSON.stringify({ madeInSeconds: Math.round((performance.now() - started) / 1000) }));
	for (let round = 0; round < rounds; round += 1) console.log(await measure());
} finally {
	await rm(directory, { recursive: true, force: true });
}
