import { RouseError } from '../model/errors.ts';
import type { TemporalTarget } from './temporal-target.ts';
import { isSealed, type Payload, PayloadCipher } from './payload-cipher.ts';

/** As Temporal's SDK calls it: `PayloadCodec` of @temporalio/common. */
export interface Codec {
	encode(payloads: Payload[]): Promise<Payload[]>;
	decode(payloads: Payload[]): Promise<Payload[]>;
}

/** Of a worker: what it cannot open it must not act on. None where no key is configured and nothing is sealed. */
export async function workerCodec({ payloadKeyFile }: TemporalTarget): Promise<Codec> {
	const cipher = payloadKeyFile === undefined ? undefined : await PayloadCipher.read(payloadKeyFile);
	return {
		encode: async payloads => payloads.map(payload => cipher?.seal(payload) ?? payload),
		decode: async payloads => payloads.map(payload => open(payload, cipher)),
	};
}

/** Of a client, which looks: what it cannot open is `null` to it. */
export class ClientCodec implements Codec {
	readonly #cipher: PayloadCipher | undefined;

	constructor(cipher?: PayloadCipher) {
		this.#cipher = cipher;
	}

	static async of({ payloadKeyFile }: TemporalTarget): Promise<ClientCodec> {
		return new ClientCodec(payloadKeyFile === undefined ? undefined : await PayloadCipher.read(payloadKeyFile));
	}

	async encode(payloads: Payload[]): Promise<Payload[]> {
		return payloads.map(payload => this.#cipher?.seal(payload) ?? payload);
	}

	async decode(payloads: Payload[]): Promise<Payload[]> {
		return payloads.map(payload => this.open(payload));
	}

	open(payload: Payload): Payload {
		try {
			return open(payload, this.#cipher);
		} catch {
			return nothing; // of another key, or altered: the one who looks has no use for the difference
		}
	}
}

function open(payload: Payload, cipher: PayloadCipher | undefined): Payload {
	if (cipher) return cipher.open(payload);
	if (!isSealed(payload)) return payload;
	throw new RouseError('config_invalid', 'what Temporal keeps is sealed, and no key is configured', {
		hint: 'temporal.payloadKeyFile of config.yaml names it',
	});
}

const nothing: Payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('null') };
