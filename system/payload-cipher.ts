import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { RouseError } from '../model/errors.ts';
import { mustBeSecret } from './secret-file.ts';

/** What Temporal keeps of a value: temporal/api/common/v1/message.proto, Payload. */
export interface Payload {
	metadata?: Record<string, Uint8Array> | null;
	data?: Uint8Array | null;
}

const encoding = 'binary/rouse-aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Seals what Temporal keeps – inputs, results, memos, messages – for who has the key. AES-256-GCM with a random nonce
 * (NIST SP 800-38D); what is sealed is the payload's metadata as a line of JSON and its data behind that. What is not sealed
 * is opened as it is: histories from before there was a key go on.
 */
export class PayloadCipher {
	readonly #key: Buffer;
	/** Names the key without telling it, and is sealed with the data. */
	readonly #keyId: Buffer;

	constructor(key: Buffer) {
		if (key.length !== 32) throw new RouseError('config_invalid', `a key for payloads has 32 bytes, not ${key.length}`);
		this.#key = key;
		this.#keyId = Buffer.from(createHash('sha256').update(key).digest('hex').slice(0, 16));
	}

	/** The file holds 32 bytes as 64 hexadecimal digits, as `openssl rand -hex 32` writes them. */
	static async read(path: string): Promise<PayloadCipher> {
		await mustBeSecret(path);
		const text = await readFile(path, 'utf8').catch((cause: unknown) => {
			throw new RouseError('config_invalid', `the key for payloads cannot be read: ${path}`, { cause });
		});
		if (!/^[0-9a-f]{64}\s*$/i.test(text))
			throw new RouseError('config_invalid', `${path} is no key for payloads: 64 hexadecimal digits`, {
				hint: `make one: openssl rand -hex 32 > ${path}`,
			});
		return new PayloadCipher(Buffer.from(text.trim(), 'hex'));
	}

	seal(payload: Payload): Payload {
		const metadata = Object.entries(payload.metadata ?? {}).map(([name, value]) => [name, base64(value)]);
		const head = Buffer.from(`${JSON.stringify(Object.fromEntries(metadata))}\n`);
		const nonce = randomBytes(nonceBytes);
		const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(this.#keyId);
		const sealed = [cipher.update(head), cipher.update(payload.data ?? new Uint8Array()), cipher.final()];
		return {
			metadata: { encoding: Buffer.from(encoding), 'key-id': this.#keyId },
			data: Buffer.concat([nonce, ...sealed, cipher.getAuthTag()]),
		};
	}

	/** `config_invalid` for what another key has sealed, `format_damaged` for what was altered since. */
	open(payload: Payload): Payload {
		if (!isSealed(payload)) return payload;
		const keyId = Buffer.from(payload.metadata?.['key-id'] ?? []);
		if (!keyId.equals(this.#keyId))
			throw new RouseError(
				'config_invalid',
				`sealed by the key ${keyId.toString('latin1')}, not by ${this.#keyId.toString()}`,
			);
		const bytes = Buffer.from(payload.data ?? []);
		try {
			const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, nonceBytes))
				.setAAD(this.#keyId)
				.setAuthTag(bytes.subarray(-tagBytes));
			const text = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]);
			const end = text.indexOf('\n');
			const metadata: Record<string, string> = JSON.parse(text.toString('utf8', 0, end));
			const names = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
			return { metadata: Object.fromEntries(names), data: text.subarray(end + 1) };
		} catch (cause) {
			throw new RouseError('format_damaged', 'what Temporal kept was altered since it was sealed', { cause });
		}
	}
}

export function isSealed({ metadata }: Payload): boolean {
	return Buffer.from(metadata?.['encoding'] ?? []).toString('latin1') === encoding;
}

function base64(bytes: Uint8Array): string {
	return Buffer.from(bytes).toString('base64');
}
