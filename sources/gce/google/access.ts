/** By what Google lets us in: the only place that knows its library, whose errors carry requests and with them secrets. */
import { readFile } from 'node:fs/promises';
import { type AuthClient, GoogleAuth, IdentityPoolClient, JWT, UserRefreshClient } from 'google-auth-library';
import * as z from 'zod';
import { RouseError } from '../../../model/errors.ts';
import { jsonOf } from '../../../system/json-of.ts';
import { GoogleFault, isWord } from './fault.ts';
import { isSafeUrl } from './safe-url.ts';

/** Whatever else a service account may do, these tokens do not; those of users have what the user has agreed to. */
const scopes = [
	'https://www.googleapis.com/auth/devstorage.read_only',
	'https://www.googleapis.com/auth/compute.readonly',
];

/** The library itself would wait without end. */
const timeoutMs = 30_000;
const onlyOnce = { retry: false, retryConfig: { retry: 0, noResponseRetries: 0 } };

const urlSchema = z.string().refine(isSafeUrl, 'must be https://');

/** The kinds of files that Google makes, but for those that have a program run, or stand for another account. */
const credentialSchema = z.discriminatedUnion('type', [
	z.object({
		type: z.literal('service_account'),
		client_email: z.string().min(1),
		private_key: z.string().min(1),
		private_key_id: z.string().exactOptional(),
		quota_project_id: z.string().exactOptional(),
	}),
	z.object({
		type: z.literal('authorized_user'),
		client_id: z.string().min(1),
		client_secret: z.string().min(1),
		refresh_token: z.string().min(1),
		quota_project_id: z.string().exactOptional(),
	}),
	z.object({
		type: z.literal('external_account'),
		audience: z.string().min(1),
		subject_token_type: z.string().min(1),
		token_url: urlSchema,
		service_account_impersonation_url: urlSchema.exactOptional(),
		quota_project_id: z.string().exactOptional(),
		credential_source: z.strictObject({
			file: z.string().exactOptional(),
			url: z.string().exactOptional(),
			headers: z.record(z.string(), z.string()).exactOptional(),
			format: z
				.object({ type: z.enum(['text', 'json']), subject_token_field_name: z.string().exactOptional() })
				.exactOptional(),
		}),
	}),
]);
type GoogleCredential = z.infer<typeof credentialSchema>;

export interface AccessOptions {
	/** By which tokens are asked for. */
	fetch?: typeof fetch | undefined;
}

export class GoogleAccess {
	readonly #path: string | null;
	readonly #fetch: typeof fetch | undefined;
	#client: Promise<AuthClient> | undefined;

	/** `path`: a file of Google's that tells who calls; null: as Google's own tools find it (application default credentials). */
	constructor(path: string | null, options: AccessOptions = {}) {
		this.#path = path;
		this.#fetch = options.fetch;
	}

	/** What a request carries, with a token that holds for minutes at least. Throws {@link GoogleFault}, and `config_invalid`. */
	async headers(call: string): Promise<Record<string, string>> {
		try {
			this.#client ??= this.#open();
			const headers = await (await this.#client).getRequestHeaders();
			return Object.fromEntries(headers.entries());
		} catch (error) {
			this.forget();
			throw error instanceof RouseError ? error : faultOf(error, call);
		}
	}

	/** Its token is not taken any more: the next one is another, by what the file holds then. */
	forget(): void {
		this.#client = undefined;
	}

	async #open(): Promise<AuthClient> {
		const clientOptions = {
			transporterOptions: {
				timeout: timeoutMs,
				...(this.#fetch === undefined ? {} : { fetchImplementation: this.#fetch }),
			},
		};
		const client =
			this.#path === null
				? await new GoogleAuth({ scopes, clientOptions }).getClient()
				: clientOf(await readCredential(this.#path), clientOptions);
		// Who asks tries again himself, and says what for.
		const resolved = async <T extends object>(request: T) => Object.assign(request, onlyOnce);
		client.transporter.interceptors.request.add({ resolved });
		return client;
	}
}

function clientOf(
	credential: GoogleCredential,
	options: { transporterOptions: { timeout: number; fetchImplementation?: typeof fetch } },
): AuthClient {
	const { quota_project_id: quotaProjectId } = credential;
	const common = { ...options, ...(quotaProjectId === undefined ? {} : { quotaProjectId }) };
	switch (credential.type) {
		case 'service_account': {
			const { client_email: email, private_key: key, private_key_id: keyId } = credential;
			return new JWT({ ...common, email, key, ...(keyId === undefined ? {} : { keyId }), scopes });
		}
		case 'authorized_user': {
			const { client_id: clientId, client_secret: clientSecret, refresh_token: refreshToken } = credential;
			return new UserRefreshClient({ ...common, clientId, clientSecret, refreshToken });
		}
		case 'external_account':
			return new IdentityPoolClient({ ...common, ...credential, scopes });
		default:
			return credential satisfies never;
	}
}

/** What is wrong is told without a word of the file. */
async function readCredential(path: string): Promise<GoogleCredential> {
	const text = await readFile(path, 'utf8').catch((cause: unknown) => {
		throw new RouseError('config_invalid', `${path} cannot be read: it tells Google who asks`, { cause });
	});
	const parsed = credentialSchema.safeParse(jsonOf(text));
	if (parsed.success) return parsed.data;
	throw new RouseError('config_invalid', `${path} is no file of Google's that tells who asks`, {
		hint: 'a key of a service account, credentials of a user, or of workload identity federation by a file or URL; without one, what gcloud and Compute Engine have is used',
	});
}

const statusSchema = z.object({ status: z.number() });
const saidSchema = z.object({ response: z.object({ data: z.object({ error: z.string().refine(isWord) }) }) });
const codeSchema = z.object({ code: z.string().refine(isWord) });
const causeSchema = z.object({ cause: z.unknown() });

/** Of Node, its `fetch` and the library: nobody has answered. */
const unanswered = /^(?:UND_ERR_|ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|EPIPE|TimeoutError)/;

/** Of what the library throws no more than status and word: its messages quote what others have said. */
function faultOf(thrown: unknown, call: string): GoogleFault {
	const status = statusSchema.safeParse(thrown).data?.status;
	const word = saidSchema.safeParse(thrown).data?.response.data.error ?? codeIn(thrown);
	const mayPass =
		status === undefined ? word !== undefined && unanswered.test(word) : status >= 500 || [408, 429].includes(status);
	const words = [status, word].filter(part => part !== undefined).join(', ');
	const fault = mayPass ? 'unreachable' : 'unknown-caller';
	return new GoogleFault(fault, { call, word: words === '' ? 'there are none' : `no token: ${words}` });
}

/** The first in the chain of what has led to it. */
function codeIn(thrown: unknown): string | undefined {
	let looked: unknown = thrown;
	for (let depth = 0; depth < 5 && looked instanceof Error; depth++) {
		const code = codeSchema.safeParse(looked).data?.code;
		if (code !== undefined) return code;
		looked = causeSchema.safeParse(looked).data?.cause;
	}
	return undefined;
}
