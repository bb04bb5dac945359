import { AsyncLocalStorage } from 'node:async_hooks';
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import type { Lifetime } from './mortal.ts';

/**
 * A process that is an object here dies between two system calls, as a process does: once its life is over, nothing that
 * was begun on its behalf touches a file any more. Who acts is known by the asynchronous context, and the functions of
 * `node:fs` ask for it. This changes them for the whole process: only files that run seeds import this one.
 */
const lives = new AsyncLocalStorage<Lifetime>();

/** All that `work` does, now and later, is done by who has this life. */
export function within<T>(life: Lifetime, work: () => T): T {
	return lives.run(life, work);
}

/** What `work` does is done by something that outlives whoever asks for it. */
export function outside<T>(work: () => T): T {
	return lives.exit(work);
}

type Call = (...args: unknown[]) => unknown;

function isCall(value: unknown): value is Call {
	return typeof value === 'function';
}

/** Puts `around` in the place of a function of `of`. */
function replace(of: object, name: string, around: (real: Call, self: unknown, args: unknown[]) => unknown): void {
	const real: unknown = Reflect.get(of, name);
	if (!isCall(real)) throw new Error(`node has no ${name}`);
	Reflect.set(of, name, function (this: unknown, ...args: unknown[]) {
		return around(real, this, args);
	});
}

function mortal(real: Call, self: unknown, args: unknown[]): unknown {
	const life = lives.getStore();
	const call = () => Reflect.apply(real, self, args);
	return life ? life.operation(async () => call()) : call();
}

/** Takes room on the disk: data does, names and directories have some of their own. */
function mortalWrite(real: Call, self: unknown, args: unknown[]): unknown {
	const disk = lives.getStore()?.disk;
	const bytes = args.reduce((sum: number, data) => sum + lengthOf(data), 0);
	if (disk && disk.freeBytes < bytes) return mortal(noSpace, self, args);
	if (disk) disk.freeBytes -= bytes;
	return mortal(real, self, args);
}

function noSpace(): Promise<never> {
	return Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }));
}

function lengthOf(data: unknown): number {
	if (typeof data === 'string') return Buffer.byteLength(data);
	return ArrayBuffer.isView(data) ? data.byteLength : 0;
}

/** Gives the room of a file back. */
async function mortalRemoval(real: Call, self: unknown, args: unknown[]): Promise<unknown> {
	const disk = lives.getStore()?.disk;
	const bytes = disk && typeof args[0] === 'string' ? (fs.statSync(args[0], { throwIfNoEntry: false })?.size ?? 0) : 0;
	const result = await mortal(real, self, args);
	if (disk) disk.freeBytes += bytes;
	return result;
}

const promised = 'chmod link lstat mkdir readFile readdir rename rmdir stat statfs symlink truncate';
for (const name of promised.split(' ')) replace(fs.promises, name, mortal);
for (const name of ['rm', 'unlink']) replace(fs.promises, name, mortalRemoval);
for (const name of ['appendFile', 'writeFile']) replace(fs.promises, name, mortalWrite);

/** A dead one's descriptors are closed by who follows it: see {@link Lifetime.settled}. */
replace(fs.promises, 'open', (real, self, args) => {
	const life = lives.getStore();
	if (!life) return Reflect.apply(real, self, args);
	return life.operation(async () => {
		const handle = await (Reflect.apply(real, self, args) as ReturnType<typeof open>);
		life.hold(handle);
		return handle;
	});
});

const handle = await open('.');
const ofHandles: unknown = Reflect.getPrototypeOf(handle);
await handle.close();
if (typeof ofHandles !== 'object' || ofHandles === null) throw new Error('a FileHandle has no prototype');
for (const name of 'datasync read readFile readv stat sync truncate'.split(' ')) replace(ofHandles, name, mortal);
for (const name of 'appendFile write writeFile writev'.split(' ')) replace(ofHandles, name, mortalWrite);

const immediate = 'fdatasyncSync fsyncSync ftruncateSync linkSync mkdirSync openSync renameSync rmSync symlinkSync';
for (const name of `${immediate} unlinkSync writeFileSync writeSync`.split(' '))
	replace(fs, name, (real, self, args) => {
		// Nothing can stand still here: what catches this finds itself unable to touch any file as well.
		if (lives.getStore()?.over) throw new Error(`${name} of a process that has died`);
		return Reflect.apply(real, self, args);
	});

syncBuiltinESMExports();
