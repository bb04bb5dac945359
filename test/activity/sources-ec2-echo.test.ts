/** An AWS that answers with all that it was asked: through its SDK, and the process that knows the secret, nothing of that gets out. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { initRepository } from '../../repository/repository.ts';
import { childSteps } from '../../sources/machine-child/children.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { startRouse } from '../equipment/command-line.ts';

const session = 'canary-session-token-5f2e';
const credential = [
	'[default]',
	'aws_access_key_id = AKIACANARY',
	'aws_secret_access_key = canary-secret-key-91ab',
	`aws_session_token = ${session}`,
].join('\n');

/** What it was asked, which it says in its answers as well. */
async function echo(t: TestContext) {
	const asked: string[] = [];
	const answerTo = async (request: IncomingMessage, answer: ServerResponse) => {
		const all = `${request.url} ${request.rawHeaders.join(' ')} ${await text(request)}`;
		asked.push(all);
		const said = all.replaceAll(/[<>&]/g, '?');
		const error = `<Error><Code>InvalidParameterValue</Code><Message>${said}</Message></Error>`;
		answer.writeHead(400).end(`<Response><Errors>${error}</Errors><RequestID>1</RequestID></Response>`);
	};
	const server = createServer((request, answer) => {
		void answerTo(request, answer);
	}).listen(0, '127.0.0.1');
	t.after(() => server.close());
	await once(server, 'listening');
	const address = server.address();
	assert.ok(address !== null && typeof address === 'object');
	return { asked, env: { AWS_ENDPOINT_URL: `http://127.0.0.1:${address.port}` } };
}

test('what AWS says of a request is told without the request, by its step and by commands', async t => {
	const { asked, env } = await echo(t);
	const directory = await temporaryDirectory(t);
	const home = join(directory, 'home');
	await mkdir(home, { mode: 0o700 });
	const { location, id, store } = await initRepository(join(directory, 'repository'));
	await store.close();
	await writeFile(join(home, 'aws'), credential, { mode: 0o600 });
	const sources = { web: { uri: 'ec2://eu-central-1/i-0123456789abcdef0', credential: 'aws' } };
	const config = { repositories: { main: location }, credentials: { aws: { file: 'aws' } }, sources };
	await writeFile(join(home, 'config.yaml'), JSON.stringify(config));

	const places = { source: 'web', repository: location, repositoryId: id };
	const { signal } = new AbortController();
	const planned = childSteps(home, { env: { ...process.env, ...env } }).plan(
		places,
		{ importId: randomUUID(), machine: 'web' },
		signal,
	);
	const error = await planned.then(
		() => undefined,
		(thrown: unknown) => thrown,
	);
	const command = await startRouse(t, home, ['backup', 'plan', 'web', '--json', '--debug'], env).ended;
	assert.match(command.stderr, /InvalidParameterValue/);
	assert.ok(asked.length >= 2 && asked.every(said => said.includes(session)), 'it was told');
	for (const told of [inspect(error, { depth: 9 }), command.stdout, command.stderr])
		assert.doesNotMatch(told, /canary|AWS4-HMAC|Signature=/i);
});
