/** What a bucket holds: every generation of every object, as a bucket with versions keeps them. */
import { crc32c } from '../../../vhdx/crc32c.ts';

export interface StoredObject {
	generation: string;
	bytes: Buffer;
	contentEncoding: string | undefined;
	storageClass: string;
	createdAt: string;
	isEncryptedByCustomer: boolean;
}

export class Objects {
	readonly #all = new Map<string, StoredObject[]>();
	#generation = 1_700_000_000_000_000;

	/** `bucket/name`. Answers with its generation. */
	put(path: string, bytes: Buffer, how: Partial<Omit<StoredObject, 'generation' | 'bytes'>> = {}): string {
		const generation = String((this.#generation += 1));
		const createdAt = new Date(Date.UTC(2026, 10, 20, 3, 0, 0, this.#all.size)).toISOString();
		const usual = { contentEncoding: undefined, storageClass: 'STANDARD', createdAt, isEncryptedByCustomer: false };
		this.#all.set(path, [...(this.#all.get(path) ?? []), { generation, bytes, ...usual, ...how }]);
		return generation;
	}

	/** All of its generations. */
	remove(path: string): void {
		this.#all.delete(path);
	}

	/** Without a generation the latest one. */
	find(path: string, generation: string | null): StoredObject | undefined {
		const all = this.#all.get(path) ?? [];
		return generation === null ? all.at(-1) : all.find(one => one.generation === generation);
	}
}

/** As the JSON API describes an object. */
export function resourceOf(path: string, object: StoredObject): object {
	const sum = Buffer.alloc(4);
	sum.writeUInt32BE(crc32c(object.bytes));
	const [bucket, ...name] = path.split('/');
	return {
		kind: 'storage#object',
		bucket,
		name: name.join('/'),
		generation: object.generation,
		metageneration: '1',
		size: String(object.bytes.length),
		timeCreated: object.createdAt,
		storageClass: object.storageClass,
		...(object.contentEncoding === undefined ? {} : { contentEncoding: object.contentEncoding }),
		...(object.isEncryptedByCustomer
			? { customerEncryption: { encryptionAlgorithm: 'AES256', keySha256: 'c2VjcmV0' } }
			: { crc32c: sum.toString('base64') }),
	};
}
