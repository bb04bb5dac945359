import { jsonOf } from '../../system/json-of.ts';

/** Names of what is no secret in files that have one beside it, of AWS's, Google's and ssh's kinds: messages without them help nobody. */
const publicNames: ReadonlySet<string> = new Set([
	'account',
	'auth_provider_x509_cert_url',
	'auth_uri',
	'client_email',
	'client_id',
	'client_x509_cert_url',
	'endpoint',
	'endpoint_url',
	'host',
	'hostname',
	'output',
	'port',
	'private_key_id',
	'profile',
	'project_id',
	'quota_project_id',
	'region',
	'role_arn',
	'source_profile',
	'token_uri',
	'type',
	'universe_domain',
	'user',
	'username',
]);

const setting = /^(?:export\s+)?([a-z_][\w.-]*)\s*[=:]\s*(.*)$/i;
/** What a key is wrapped in, and titles and remarks of settings. */
const noSecret = /^(?:-----|\[[^\]]*\]$|[#;])/;

/**
 * The secrets in a file, by its form: JSON, settings by line, a key in lines, or a line that is a secret whole. What is not known to be
 * none is one.
 */
export function secretsIn(text: string): string[] {
	const document = jsonIn(text);
	if (document !== undefined) return [...valuesIn(document)].flatMap(secretLines);
	const lines = linesOf(text);
	const [only, ...more] = lines;
	// It may look like anything.
	const whole = only !== undefined && more.length === 0 ? [only] : [];
	return [...whole, ...lines.filter(line => !noSecret.test(line)).flatMap(secretOfLine)];
}

function secretOfLine(line: string): string[] {
	const [, name, value = ''] = setting.exec(line) ?? [];
	if (name === undefined || /^=*$/.test(value)) return [line]; // the last line of a key ends so
	const bare = /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;
	return publicNames.has(name.toLowerCase()) ? [] : [bare];
}

function* valuesIn(value: unknown): Generator<string> {
	if (typeof value === 'string') yield value;
	else if (typeof value === 'number') yield String(value);
	else if (typeof value === 'object' && value !== null)
		for (const [name, inner] of Object.entries(value))
			if (typeof inner === 'object' || !publicNames.has(name.toLowerCase())) yield* valuesIn(inner);
}

function secretLines(value: string): string[] {
	return linesOf(value).filter(line => !line.startsWith('-----'));
}

function linesOf(text: string): string[] {
	return text
		.split(/\r?\n/)
		.map(line => line.trim())
		.filter(line => line !== '');
}

function jsonIn(text: string): object | undefined {
	const value = jsonOf(text);
	return typeof value === 'object' && value !== null ? value : undefined;
}
