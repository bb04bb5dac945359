import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { findTemporal } from '../../keeper/temporal-cli.ts';
import { renewKeys } from '../../keeper/door/renew.ts';
import { RouseError } from '../../model/errors.ts';
import { homeDirectory, loadConfig, openInstallation } from '../../system/installation.ts';
import { readSecurity } from '../../system/temporal-security.ts';
import { readTemporalTarget, type TemporalTarget } from '../../system/temporal-target.ts';
import { type Context, command } from '../terminal/command.ts';

export const build = (context: Context) =>
	command('temporal')
		.description('the Temporal server behind the recoveries')
		.addCommand(buildCli(context))
		.addCommand(buildRenewKeys(context));

const buildRenewKeys = (context: Context) =>
	command('renew-keys')
		.description('new keys for the embedded server; it refuses the old ones from then on')
		.action(async () => {
			await renewKeys(await openInstallation(homeDirectory(context.env)), context.signal);
			context.output.result({ renewed: true }, 'the keys are new; workers and door start again with them');
		});

const buildCli = (context: Context) =>
	command('cli')
		.description("Temporal's own command line, with the address and the keys of the server")
		.argument('<arguments...>', 'as: rouse temporal cli -- workflow list')
		.action(async args => {
			const installation = await openInstallation(homeDirectory(context.env));
			const found = await findTemporal(installation.cacheDirectory);
			if (!found) throw new RouseError('tool_missing', 'there is no Temporal CLI', { hint: 'rouse setup gets it' });
			const target = await readTemporalTarget(installation, await loadConfig(installation));
			// The caller's own of these are for another server, and some would take the door's checks away.
			const others = Object.fromEntries(Object.entries(context.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
			const child = spawn(found.path, args, {
				stdio: 'inherit',
				env: { ...others, ...(await environmentOf(target)) },
			});
			const [code]: (number | null)[] = await once(child, 'exit');
			context.exitWith(code ?? 1);
		});

/**
 * https://docs.temporal.io/cli/setup-cli#environment-variables. In the environment and not on the command line, which every
 * user of the machine can read.
 */
async function environmentOf({ address, namespace, tls, apiKeyFile }: TemporalTarget): Promise<Record<string, string>> {
	const { authority, certificate, key, serverName } = tls ?? {};
	const { apiKey } = await readSecurity({ address, namespace, ...(apiKeyFile === undefined ? {} : { apiKeyFile }) });
	const names = {
		TEMPORAL_ADDRESS: address,
		TEMPORAL_NAMESPACE: namespace,
		TEMPORAL_TLS: tls && 'true',
		TEMPORAL_API_KEY: apiKey,
		TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority,
		TEMPORAL_TLS_CLIENT_CERT_PATH: certificate,
		TEMPORAL_TLS_CLIENT_KEY_PATH: key,
		TEMPORAL_TLS_SERVER_NAME: serverName,
	};
	return Object.fromEntries(Object.entries(names).filter((pair): pair is [string, string] => pair[1] !== undefined));
}
