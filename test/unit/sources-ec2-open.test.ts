import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { openMachineSource } from '../../sources/open-machine-source.ts';
import { readAwsCredentials } from '../../sources/ec2/credential-file.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const uri = 'ec2://eu-central-1/i-0123456789abcdef0';
const secret = 'canary-secret/of+a=key';

test("AWS's SDK, which is large, is loaded when an instance is opened, and not before", async () => {
	const loaded: string[] = [];
	const hooks = registerHooks({
		resolve(specifier, context, next) {
			if (/^@aws-sdk\/client-[^/]*$/.test(specifier)) loaded.push(specifier);
			return next(specifier, context);
		},
	});
	try {
		await import('../../sources/ec2/open.ts');
		await assert.rejects(openMachineSource({ uri: 'ec2://eu-central-1/web01', credential: null }), {
			code: 'config_invalid',
		});
		assert.deepEqual(loaded, []);
		const source = await openMachineSource({ uri, credential: null });
		assert.equal(source.kind, 'ec2');
		await source.close();
		assert.deepEqual(loaded.toSorted(), ['@aws-sdk/client-ebs', '@aws-sdk/client-ec2']);
	} finally {
		hooks.deregister();
	}
});

suite('a file with credentials of AWS', () => {
	const lines = (...more: string[]) => ['aws_access_key_id = AKIAEXAMPLE', `aws_secret_access_key=${secret}`, ...more];
	const keys = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: secret };

	for (const [what, text, expected] of [
		["as AWS's tools write it", ['# mine', '[default]', ...lines('region = eu-central-1', '')], keys],
		['with a session', ['[default]', ...lines('aws_session_token = x')], { ...keys, sessionToken: 'x' }],
		['with one profile of another name', ['[backup]', ...lines()], keys],
		['with several, of which one is the usual', ['[other]', 'region=x', '[default]', ...lines()], keys],
	] as const)
		test(`${what} is taken`, async t => {
			const path = join(await temporaryDirectory(t), 'aws');
			await writeFile(path, text.join('\r\n'), { mode: 0o600 });
			assert.deepEqual(await readAwsCredentials(path), expected);
		});

	for (const [what, text] of [
		['without keys', ['[default]']],
		['without a profile', lines()],
		['with several profiles, none of them the usual', ['[a]', ...lines(), '[b]', ...lines()]],
		['with a role', ['[default]', ...lines('role_arn = arn:aws:iam::1:role/x', 'source_profile = y')]],
		['with something else', [secret]],
	] as const)
		test(`${what} is refused, and nothing of it is told`, async t => {
			const path = join(await temporaryDirectory(t), 'aws');
			await writeFile(path, text.join('\n'), { mode: 0o600 });
			const refused = openMachineSource({ uri, credential: { name: 'aws', path } });
			await assert.rejects(refused, (error: Error & { code?: string }) => {
				assert.equal(error.code, 'config_invalid');
				assert.ok(!error.message.includes(secret) && !error.message.includes('AKIAEXAMPLE'));
				return true;
			});
		});

	test('that others may read, or that is not there, is refused', async t => {
		const path = join(await temporaryDirectory(t), 'aws');
		await assert.rejects(
			openMachineSource({ uri, credential: { name: 'aws', path } }),
			/there is no .*, the file of credential aws/,
		);
		await writeFile(path, ['[default]', ...lines()].join('\n'));
		await chmod(path, 0o644);
		await assert.rejects(openMachineSource({ uri, credential: { name: 'aws', path } }), /others may read it/);
	});
});
