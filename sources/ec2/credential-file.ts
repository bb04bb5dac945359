/** A file as `~/.aws/credentials` is: AWS, "Configuration and credential file settings". */
import { readFile } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';

export interface AwsCredentials {
	accessKeyId: string;
	secretAccessKey: string;
	/** Of keys that are valid for some hours. */
	sessionToken?: string;
}

/** Stand beside keys in many such files, and change nothing here: an address has its region. */
const besides = new Set(['region', 'output']);
const wanted = new Set(['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token']);
const mostCharacters = 64 * 1024;

type Profile = Map<string, string>;

/** Of the profile `default`, or of the only one. Throws `config_invalid`, with nothing of what is in the file. */
export async function readAwsCredentials(path: string): Promise<AwsCredentials> {
	const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
		throw invalid(path, `cannot be read: ${error.code ?? 'unknown'}`);
	});
	if (text.length > mostCharacters) throw invalid(path, `has more than ${mostCharacters} characters`);
	const profiles = profilesIn(text, path);
	const profile = profiles.get('default') ?? (profiles.size === 1 ? [...profiles.values()][0] : undefined);
	if (profile === undefined) throw invalid(path, `has ${profiles.size} profiles, and none of them is called default`);
	const [accessKeyId, secretAccessKey] = [profile.get('aws_access_key_id'), profile.get('aws_secret_access_key')];
	const sessionToken = profile.get('aws_session_token');
	if (accessKeyId === undefined || secretAccessKey === undefined)
		throw invalid(path, 'has no access key: an id and a secret');
	return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

function profilesIn(text: string, path: string): Map<string, Profile> {
	const profiles = new Map<string, Profile>();
	let profile: Profile | undefined;
	for (const [number, line] of text.split(/\r?\n/).entries()) {
		const said = line.replace(/^\ufeff/, '').trim();
		if (said === '' || said.startsWith('#') || said.startsWith(';')) continue;
		const heading = /^\[\s*(?:profile\s+)?([^\]]+?)\s*\]$/.exec(said)?.[1];
		if (heading !== undefined) {
			profile = new Map();
			profiles.set(heading, profile);
			continue;
		}
		const [, name = '', value = ''] = /^([a-z_]{1,40})\s*=\s*(\S{1,8192})$/.exec(said) ?? [];
		if (profile === undefined || !(wanted.has(name) || besides.has(name)))
			throw invalid(path, `has something else than an access key in line ${number + 1}`);
		profile.set(name, value);
	}
	return profiles;
}

function invalid(path: string, what: string): RouseError {
	return new RouseError('config_invalid', `${path} ${what}`, {
		hint: 'three lines: [default], aws_access_key_id = …, aws_secret_access_key = …; without a credential the ways of AWS itself are taken (roles, its environment)',
	});
}
