/** The measured half of main.ts: what an import asks of the index, in a process of its own. Prints JSON. */
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { digestBytes } from '../../repository/format/digest.ts';
import { ImportIndex } from '../../repository/index/import-index.ts';
import { DirectoryStore } from '../../repository/store/directory.ts';
import { knownRounds, lookups, packOfRound, scatteredLookups, simulatedIndexes } from './simulated.ts';

const [, , directory = '', chunks = '', chunksPerPack = '1000'] = process.argv;
/** As many as an import has in hand. */
const atOnce = 16;

const simulated = simulatedIndexes(Number(chunks), Number(chunksPerPack));
const store = new DirectoryStore(directory);
const startedCpuMs = cpuMs(process.cpuUsage()); // Node itself, and the modules
const begun = performance.now();
const index = await ImportIndex.begin(store, { mayDelete: true });
const opened = { ms: Math.round(performance.now() - begun), cpuMs: cpuMs(process.cpuUsage()) - startedCpuMs };

/** Of all threads. */
function cpuMs({ user, system }: NodeJS.CpuUsage): number {
	return Math.round((user + system) / 1000);
}

/** The digests are made before. */
async function timed(made: Iterable<Buffer>): Promise<{ ms: number; cpuMs: number; known: number }> {
	const digests = Buffer.allocUnsafeSlow(digestBytes * lookups);
	let end = 0;
	for (const digest of made) end += digest.copy(digests, end);
	const started = performance.now();
	const cpuBefore = process.cpuUsage();
	let known = 0;
	let at = 0;
	const one = async () => {
		while (at < end) {
			const digest = digests.subarray(at, (at += digestBytes));
			if ((await index.indexed.find(digest, () => true)) !== undefined) known += 1;
		}
	};
	await Promise.all(Array.from({ length: atOnce }, one));
	return { ms: Math.round(performance.now() - started), cpuMs: cpuMs(process.cpuUsage(cpuBefore)), known };
}

function* newChunks(): Generator<Buffer> {
	for (let count = 0; count < lookups; count += 1) yield randomBytes(32);
}

/** Pack by pack, as they were stored, so many of each. */
function* knownChunks(count: number, run: number, firstRound: number): Generator<Buffer> {
	for (let at = 0, round = firstRound; at < count; round += 1) {
		const { from, pack } = packOfRound(simulated, round);
		for (let position = 0; position < Math.min(run, from.chunksPerPack) && at < count; position += 1, at += 1)
			yield from.digest(pack, position);
	}
}

const fresh = await timed(newChunks());
const known = await timed(knownChunks(lookups, Number(chunksPerPack), 0));
const scattered = await timed(knownChunks(scatteredLookups, 1, knownRounds(Number(chunksPerPack))));
console.log(JSON.stringify({ indexes: simulated.length, startedCpuMs, opened, fresh, known, scattered }));
await store.close();
