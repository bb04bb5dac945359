import { setTimeout as delay } from 'node:timers/promises';
import { NbdClient } from '../../../nbd/client/client.ts';
import type { Mft } from '../../../volume/ntfs/mft.ts';
import { writeBack } from './metadata-write.ts';
import { breaks } from './rules.ts';
import { fileOf, type Partition, readNtfs, readPartitions } from './remote-volume.ts';
import type { RemoteDisk } from './volumes.ts';

const exportName = 'lun';
const sectorBytes = 512;
const probeEveryMs = 250;
const retryMs = 1_000;
/** A real initiator holds a write for MaxRequestHoldTime, a minute, before a volume goes without it. */
const writeBackMs = 10_000;

interface Opened {
	socket: string;
	client: NbdClient;
	diskGuid: string;
	partitions: readonly Partition[];
}

/**
 * A disk whose session the initiator keeps by itself. A read that is not answered within `patienceMs` fails, and with it every
 * later one at once, until the disk answers again: MSiSCSI holds requests for 60 s (MaxRequestHoldTime), removes the device,
 * and tries for ever to log in again.
 */
export class IscsiSession implements RemoteDisk {
	readonly diskGuid: string;
	readonly #socket: string;
	readonly #client: NbdClient;
	readonly #partitions: readonly Partition[];
	readonly #patienceMs: number;
	readonly #end: () => Promise<void>;
	readonly #closed = new AbortController();
	readonly #volumes = new Map<string, Promise<Mft>>();
	/** By partition: what Windows has of its metadata in memory. */
	readonly #dirty = new Map<string, Buffer>();
	#back: () => void = () => undefined;
	#isLost = false;

	private constructor({ socket, client, diskGuid, partitions }: Opened, patienceMs: number, end: () => Promise<void>) {
		this.#socket = socket;
		this.#client = client;
		this.diskGuid = diskGuid;
		this.#partitions = partitions;
		this.#patienceMs = patienceMs;
		this.#end = end;
	}

	/** `end` ends what serves the socket. */
	static async open(socket: string, patienceMs: number, end: () => Promise<void>): Promise<IscsiSession> {
		const never = new AbortController().signal;
		// Else QEMU hangs up at an error that the target gave in the middle of a read.
		const options = { undivided: true };
		const client = await NbdClient.open({ address: { path: socket }, exportName }, never, options);
		try {
			const found = await readPartitions((at, lengthBytes) => readFrom(client, at, lengthBytes));
			return new IscsiSession({ socket, client, ...found }, patienceMs, end);
		} catch (error) {
			await client.close();
			throw error;
		}
	}

	async writeBack(partitionGuid: string): Promise<boolean> {
		const partition = this.#partitions.find(({ guid }) => guid === partitionGuid);
		if (partition === undefined || this.#isLost) return false;
		const { geometry } = await this.#volume(partition);
		// The record of the MFT itself: metadata, whatever else the volume has.
		const atBytes = partition.offsetBytes + geometry.mftAtBytes;
		const bytes = this.#dirty.get(partitionGuid) ?? (await this.#read(atBytes, geometry.recordBytes));
		this.#dirty.set(partitionGuid, bytes);
		return await writeBack({ socket: this.#socket, exportName }, { atBytes, bytes }, writeBackMs);
	}

	async isConnected(withinMs: number): Promise<boolean> {
		const ended = new AbortController();
		const late = delay(withinMs, false, { signal: ended.signal });
		const answers = readFrom(this.#client, 0, sectorBytes).then(() => true);
		try {
			return await Promise.race([answers, late]);
		} catch {
			return false; // it answers with an error, or is closed
		} finally {
			ended.abort();
			for (const one of [late, answers]) one.catch(() => undefined);
		}
	}

	onBack(call: () => void): void {
		this.#back = call;
	}

	async file(partitionGuid: string, name: string): ReturnType<RemoteDisk['file']> {
		const partition = this.#partitions.find(({ guid }) => guid === partitionGuid);
		if (partition === undefined) return undefined;
		const mft = await this.#volume(partition);
		const source = fileOf((at, lengthBytes) => this.#read(at, lengthBytes), partition, mft, name);
		if (source === undefined) return undefined;
		return {
			name,
			sizeBytes: source.sizeBytes,
			read: (at, lengthBytes) => source.read(at, lengthBytes),
			close: async () => undefined,
		};
	}

	async close(): Promise<void> {
		this.#closed.abort();
		await this.#client.close();
		await this.#end();
	}

	/** Windows reads it once, when the disk comes online. */
	async #volume(partition: Partition): Promise<Mft> {
		const known =
			this.#volumes.get(partition.guid) ?? readNtfs((at, lengthBytes) => this.#read(at, lengthBytes), partition);
		this.#volumes.set(partition.guid, known);
		try {
			return await known;
		} catch (error) {
			this.#volumes.delete(partition.guid);
			throw error;
		}
	}

	async #read(atBytes: number, lengthBytes: number): Promise<Buffer> {
		if (this.#isLost) throw notReady(this.diskGuid);
		const ended = new AbortController();
		const patience = delay(this.#patienceMs, undefined, { signal: ended.signal });
		const reading = readFrom(this.#client, atBytes, lengthBytes);
		try {
			const bytes = await Promise.race([reading, patience.then(() => undefined)]);
			if (bytes) return bytes;
		} catch (error) {
			// An error that the target gave is one of this read alone. Whoever waits for the disk may try again soon.
			void delay(retryMs).then(() => this.#back());
			throw breaks('deviceNotReady', 'read', error instanceof Error ? error.message : '');
		} finally {
			ended.abort();
			patience.catch(() => undefined);
			reading.catch(() => undefined);
		}
		this.#giveUp();
		throw notReady(this.diskGuid);
	}

	#giveUp(): void {
		if (this.#isLost) return;
		this.#isLost = true;
		void this.#probe();
	}

	async #probe(): Promise<void> {
		while (!this.#closed.signal.aborted) {
			try {
				await readFrom(this.#client, 0, sectorBytes);
				this.#isLost = false;
				this.#back();
				return;
			} catch {
				// The next look tells.
				await delay(probeEveryMs);
			}
		}
	}
}

async function readFrom(client: NbdClient, atBytes: number, lengthBytes: number): Promise<Buffer> {
	const into = Buffer.alloc(lengthBytes);
	await client.read(atBytes, into, new AbortController().signal);
	return into;
}

function notReady(diskGuid: string): Error {
	return breaks('deviceNotReady', 'read', `disk ${diskGuid} does not answer.`);
}
