import { createHash } from 'node:crypto';
import { RouseError } from '../../model/errors.ts';
import type { FarSide } from './far/far-side.ts';
import type { DigestRange, Ranges } from './ranges.ts';

/** What every read begins and ends at, but for the device's end. */
const blockBytes = 2 ** 20;
/** Where reads follow each other: a session each, which costs as much as this. */
const aheadBytes = 32 * blockBytes;
/** Of all devices: reads come in order, and several at once. */
const keptWindows = 3;

/** Its size, and whether it can be read past the system's cache, where other bytes may be than on the disk. */
const sizeScript = `blockdev --getsize64 "$1" || exit 3
dd if="$1" of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null && echo direct || echo cached`;
/** What cannot be read past the cache is read after the cache was emptied: else what is there would be what was read before. */
const readScript = `[ -n "$4" ] || blockdev --flushbufs "$1" || exit 3
dd if="$1" bs=1048576 skip="$2" count="$3" $4`;

interface Device {
	sizeBytes: number;
	flag: string;
}

interface Window {
	path: string;
	fromBytes: number;
	endBytes: number;
	bytes: Promise<Buffer>;
}

/**
 * Reads with what every system has. A dd that was cut off ends as one that has read all, so what comes is counted: it must be as
 * much as the device says that it has.
 */
export class DdRanges implements Ranges {
	readonly digestsAreQuick = false;
	readonly #far: FarSide;
	readonly #devices = new Map<string, Promise<Device>>();
	readonly #windows: Window[] = [];
	readonly #closed = new AbortController();

	constructor(far: FarSide) {
		this.#far = far;
	}

	async sizeOf(path: string, signal: AbortSignal): Promise<number> {
		return (await this.#device(path, signal)).sizeBytes;
	}

	async read(path: string, atBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		const device = await this.#device(path, signal);
		if (atBytes + into.length > device.sizeBytes)
			throw new RouseError('source_invalid', `${path} ends at ${device.sizeBytes}, and has nothing at ${atBytes}`);
		for (let done = 0; done < into.length; ) {
			signal.throwIfAborted();
			const at = atBytes + done;
			const window = this.#window(path, device, { at, length: into.length - done }, signal);
			const bytes = await window.bytes;
			done += bytes.copy(into, done, at - window.fromBytes);
		}
	}

	/** By reading, and anew whatever is kept here: there is nothing there that is quick at it. */
	async digests(
		path: string,
		{ atBytes, lengthBytes, firstBytes, unitBytes }: DigestRange,
		signal: AbortSignal,
	): Promise<Buffer[]> {
		const { sizeBytes, flag } = await this.#device(path, signal);
		const first = Math.floor(atBytes / blockBytes);
		const fromBytes = first * blockBytes;
		const count = Math.ceil((atBytes + lengthBytes) / blockBytes) - first;
		const endBytes = Math.min(fromBytes + count * blockBytes, sizeBytes);
		const args = [path, String(first), String(count), flag];
		const blocks = await this.#fetch(args, endBytes - fromBytes, signal);
		const bytes = blocks.subarray(atBytes - fromBytes, atBytes - fromBytes + lengthBytes);
		const found: Buffer[] = [];
		for (let at = 0, end = Math.min(firstBytes, lengthBytes); at < bytes.length; ) {
			found.push(createHash('sha256').update(bytes.subarray(at, end)).digest());
			at = end;
			end = Math.min(end + unitBytes, bytes.length);
		}
		return found;
	}

	async close(): Promise<void> {
		this.#closed.abort(new RouseError('source_unreachable', 'the connection was closed'));
	}

	#device(path: string, signal: AbortSignal): Promise<Device> {
		const known = this.#devices.get(path);
		if (known !== undefined) return known;
		const opening = this.#opened(path, signal).catch((error: unknown) => {
			this.#devices.delete(path); // whoever comes next asks again
			throw error;
		});
		this.#devices.set(path, opening);
		return opening;
	}

	async #opened(path: string, signal: AbortSignal): Promise<Device> {
		const { code, stdout, said } = await this.#far.run(sizeScript, [path], this.#until(signal));
		const [size = '', how] = stdout.toString('latin1').split('\n');
		const sizeBytes = Number(size);
		if (code !== 0 || size === '' || !Number.isSafeInteger(sizeBytes))
			throw new RouseError('source_invalid', `${path} on ${this.#far.name} tells no size: ${said}`);
		return { sizeBytes, flag: how === 'direct' ? 'iflag=direct' : '' };
	}

	/** One that has these bytes, from `at` on. */
	#window(
		path: string,
		{ sizeBytes, flag }: Device,
		{ at, length }: { at: number; length: number },
		signal: AbortSignal,
	): Window {
		const windows = this.#windows;
		const ofDevice = windows.filter(window => window.path === path);
		const known = ofDevice.find(({ fromBytes, endBytes }) => fromBytes <= at && at < endBytes);
		if (known !== undefined) return known;
		const follows = ofDevice.some(({ endBytes }) => endBytes === at);
		const first = Math.floor(at / blockBytes);
		const count = Math.ceil((follows ? Math.max(length, aheadBytes) : at + length - first * blockBytes) / blockBytes);
		const fromBytes = first * blockBytes;
		const endBytes = Math.min(fromBytes + count * blockBytes, sizeBytes);
		const bytes = this.#fetch([path, String(first), String(count), flag], endBytes - fromBytes, signal);
		const window = { path, fromBytes, endBytes, bytes };
		bytes.catch(() => {
			if (windows.includes(window)) windows.splice(windows.indexOf(window), 1); // whoever comes next asks again
		});
		windows.push(window);
		if (windows.length > keptWindows) windows.shift();
		return window;
	}

	async #fetch(args: string[], lengthBytes: number, signal: AbortSignal): Promise<Buffer> {
		const { code, stdout, said } = await this.#far.run(readScript, args, this.#until(signal), {
			mostBytes: lengthBytes,
		});
		if (code === 0 && stdout.length === lengthBytes) return stdout;
		const [path = ''] = args;
		throw code === 0
			? new RouseError('source_unreachable', `${path}: ${stdout.length} bytes came instead of ${lengthBytes}`)
			: new RouseError('source_invalid', `${path} cannot be read: dd ended with ${code}: ${said}`);
	}

	#until(signal: AbortSignal): AbortSignal {
		return AbortSignal.any([signal, this.#closed.signal]);
	}
}
