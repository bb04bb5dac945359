/**
 * Google on a port of this machine, as its documentation describes it: the JSON API of Cloud Storage with generations, ranges and what
 * it unpacks on its way, instances of Compute Engine, and who gives tokens for signed assertions. Its faults are told beforehand.
 */
import { createVerify, generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as z from 'zod';
import { Objects, resourceOf, type StoredObject } from './objects.ts';

/** One request of the kind `at` ends so, and is used up by it. */
export interface StubFault {
	at: 'token' | 'description' | 'media' | 'compute';
	/** An answer of this status, with Google's reason. */
	status?: number;
	reason?: string;
	retryAfter?: string;
	/** Of media: the connection is cut behind so many bytes of the body, or nothing more comes. */
	cutAfter?: number;
	stallAfter?: number;
	/** Another byte than is stored. */
	flipAt?: number;
	/** From the beginning, whatever was asked for. */
	ignoresRange?: true;
	/** Of the generation that is there now. */
	ignoresGeneration?: true;
	/** What is stored packed comes unpacked. */
	unpacks?: true;
}

export interface StubRequest {
	at: StubFault['at'];
	path: string;
	range: string | undefined;
	status: number;
}

const assertionSchema = z.object({ iss: z.string(), scope: z.string(), aud: z.string() });

export class StubGoogle {
	readonly objects = new Objects();
	/** By path behind `/compute/v1/`. */
	readonly resources = new Map<string, object>();
	readonly faults: StubFault[] = [];
	readonly requests: StubRequest[] = [];
	/** Of the service account. */
	readonly email = 'backup@my-project.iam.gserviceaccount.com';
	readonly #keys = keyPair();
	readonly #tokens = new Set<string>();
	readonly #server: Server;
	/** That were ever given. */
	readonly tokens: string[] = [];

	private constructor() {
		this.#server = createServer((request, response) => void this.#serve(request, response));
	}

	static async start(): Promise<StubGoogle> {
		const stub = new StubGoogle();
		stub.#server.listen(0, '127.0.0.1');
		await once(stub.#server, 'listening');
		return stub;
	}

	get url(): string {
		const address = this.#server.address();
		if (address === null || typeof address === 'string') throw new Error('it does not listen');
		return `http://127.0.0.1:${address.port}`;
	}

	/** As gcloud has them. */
	get env(): Record<string, string> {
		return {
			CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${this.url}/storage/v1/`,
			CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: `${this.url}/compute/v1`,
		};
	}

	/** The key of a service account, as Google gives it out. */
	get keyFile(): object {
		return {
			type: 'service_account',
			project_id: 'my-project',
			private_key_id: '0123',
			private_key: this.#keys.privateKey,
			client_email: this.email,
			token_uri: 'https://oauth2.googleapis.com/token',
		};
	}

	/** Credentials that name where tokens are given, which keys of service accounts do not: Google's library knows one place. */
	federationFile(subjectTokenPath: string): object {
		return {
			type: 'external_account',
			audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/p',
			subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
			token_url: `${this.url}/token`,
			credential_source: { file: subjectTokenPath },
		};
	}

	/** For Google's library: its token endpoint is here. */
	readonly fetch: typeof fetch = (input, init) => {
		const asked = input instanceof URL ? input.href : input;
		return fetch(asked === 'https://oauth2.googleapis.com/token' ? `${this.url}/token` : input, init);
	};

	/** None that was given is taken any more. */
	expireTokens(): void {
		this.#tokens.clear();
	}

	countOf(at: StubFault['at']): number {
		return this.requests.filter(request => request.at === at).length;
	}

	async stop(): Promise<void> {
		this.#server.closeAllConnections();
		this.#server.close();
		await once(this.#server, 'close');
	}

	async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const url = new URL(request.url ?? '/', this.url);
		const isMedia = url.searchParams.get('alt') === 'media';
		const at =
			url.pathname === '/token'
				? 'token'
				: url.pathname.startsWith('/compute/')
					? 'compute'
					: isMedia
						? 'media'
						: 'description';
		const number = this.faults.findIndex(fault => fault.at === at);
		const fault: Partial<StubFault> = number < 0 ? {} : (this.faults.splice(number, 1)[0] ?? {});
		response.on('close', () =>
			this.requests.push({ at, path: url.pathname, range: request.headers.range, status: response.statusCode }),
		);
		if (fault.status !== undefined) return refuse(response, fault.status, fault);
		if (at === 'token') return this.#giveToken(request, response);
		const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
		if (token === undefined || !this.#tokens.has(token)) return refuse(response, 401, { reason: 'authError' });
		if (at === 'compute') return answer(response, this.resources.get(url.pathname.slice('/compute/v1/'.length)));
		const [, bucket = '', name = ''] = /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/.exec(url.pathname) ?? [];
		const path = `${bucket}/${decodeURIComponent(name)}`;
		const object = this.objects.find(path, fault.ignoresGeneration ? null : url.searchParams.get('generation'));
		const match = url.searchParams.get('ifGenerationMatch');
		if (object !== undefined && match !== null && match !== object.generation && !fault.ignoresGeneration)
			return refuse(response, 412, { reason: 'conditionNotMet' });
		if (object === undefined || at === 'description') return answer(response, object && resourceOf(path, object));
		sendMedia(request, response, object, fault);
	}

	async #giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
		let body = '';
		for await (const piece of request) body += String(piece);
		const form = new URLSearchParams(body);
		const assertion = form.get('assertion');
		if (assertion === null ? form.get('subject_token') === null : !this.#isSigned(assertion)) {
			response.writeHead(400, { 'content-type': 'application/json' });
			response.end(JSON.stringify({ error: 'invalid_grant', error_description: `not signed: ${body}` }));
			return;
		}
		const token = `ya29.${randomUUID()}`;
		this.tokens.push(token);
		this.#tokens.add(token);
		answer(response, {
			access_token: token,
			issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
			token_type: 'Bearer',
			expires_in: 3600,
		});
	}

	#isSigned(assertion: string): boolean {
		const [head = '', claims = '', signature = ''] = assertion.split('.');
		const verify = createVerify('RSA-SHA256').update(`${head}.${claims}`);
		const { iss, scope } = assertionSchema.parse(JSON.parse(Buffer.from(claims, 'base64url').toString()));
		const isReadOnly = scope.split(' ').every(one => /read_?only$/.test(one));
		return iss === this.email && isReadOnly && verify.verify(this.#keys.publicKey, signature, 'base64url');
	}
}

function sendMedia(
	request: IncomingMessage,
	response: ServerResponse,
	{ bytes, generation, contentEncoding }: StoredObject,
	fault: Partial<StubFault>,
): void {
	const isPacked = contentEncoding === 'gzip';
	// "Transcoding of gzip-compressed files": for who does not say that he takes gzip it is unpacked, and ranges are ignored.
	const unpacks = isPacked && (fault.unpacks || !/\bgzip\b/.test(String(request.headers['accept-encoding'])));
	const stored = unpacks ? gunzipSync(bytes) : Buffer.from(bytes);
	if (fault.flipAt !== undefined) stored.writeUInt8(stored.readUInt8(fault.flipAt) ^ 1, fault.flipAt);
	const from = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
	const isRange = from !== undefined && !unpacks && !fault.ignoresRange;
	const start = isRange ? Number(from) : 0;
	if (start >= stored.length) return refuse(response, 416, { reason: 'requestedRangeNotSatisfiable' });
	const body = stored.subarray(start);
	response.writeHead(isRange ? 206 : 200, {
		'content-length': body.length,
		'x-goog-generation': generation,
		'x-goog-stored-content-encoding': contentEncoding ?? 'identity',
		...(isPacked && !unpacks ? { 'content-encoding': 'gzip' } : {}),
		...(isRange ? { 'content-range': `bytes ${start}-${stored.length - 1}/${stored.length}` } : {}),
	});
	const { cutAfter, stallAfter } = fault;
	if (cutAfter !== undefined) response.write(body.subarray(0, cutAfter), () => response.destroy());
	else if (stallAfter !== undefined) response.write(body.subarray(0, stallAfter));
	else response.end(body);
}

function answer(response: ServerResponse, resource: object | undefined): void {
	if (resource === undefined) return refuse(response, 404, { reason: 'notFound' });
	response.writeHead(200, { 'content-type': 'application/json; charset=UTF-8' });
	response.end(JSON.stringify(resource));
}

function refuse(
	response: ServerResponse,
	status: number,
	{ reason = 'backendError', retryAfter }: Partial<StubFault>,
): void {
	const { authorization, 'accept-encoding': accepted } = response.req.headers;
	const isPacked = String(accepted) === 'gzip';
	response.writeHead(status, {
		'content-type': 'application/json; charset=UTF-8',
		...(isPacked ? { 'content-encoding': 'gzip' } : {}),
		...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
	});
	const message = `said to ${String(authorization)}`;
	const text = JSON.stringify({ error: { code: status, message, errors: [{ message, domain: 'global', reason }] } });
	response.end(isPacked ? gzipSync(text) : text);
}

let made: { privateKey: string; publicKey: string } | undefined;

/** One for all: it takes long. */
function keyPair() {
	return (made ??= generateKeyPairSync('rsa', {
		modulusLength: 2048,
		publicKeyEncoding: { type: 'spki', format: 'pem' },
		privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
	}));
}
