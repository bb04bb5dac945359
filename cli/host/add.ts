/** `rouse host add`: a Windows host with Hyper-V becomes one of Rouse's. */
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { RouseError } from '../../model/errors.ts';
import type { HostRecord, WantedHost } from '../../hypervisors/hyperv/host-setup/record.ts';
import type { SetupEvent } from '../../hypervisors/hyperv/host-setup/work.ts';
import { hypervHostSchema } from '../../system/hyperv-host.ts';
import { homeDirectory, loadConfig, openInstallation } from '../../system/installation.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { showing } from './showing.ts';

export const add = (context: Context) =>
	command('add')
		.description('make a Windows host with Hyper-V one of Rouse: its appliance is sent over, made and started')
		.argument('<name>', 'what it is called in Rouse', parseName)
		.requiredOption('--kind <kind>', 'hyperv', parseKind)
		.requiredOption('--ssh <user@host>', 'an administrator of it, who logs in by a key', parseSsh)
		.requiredOption('--switch <name>', 'its external switch, towards Temporal and the repository')
		.requiredOption('--datastore <dir>', 'its directory for targets and writes of guests, as D:\\Rouse', parseDatastore)
		.option('--port <port>', 'of its OpenSSH server', parsePort, 22)
		.option('--identity <file>', "the administrator's private key (default: what ssh finds by itself)")
		.option('--host-key <fingerprint>', 'of the host, as SHA256:…, read at the host itself (default: you are asked)')
		.option('--address <address>', "the appliance's on that switch: dhcp, or as 192.0.2.20/24", 'dhcp')
		.option('--gateway <address>', 'where it is not told by DHCP')
		.option('--name-server <address>', 'likewise; may be repeated', collect, [])
		.option('--appliance <file>', "the appliance's disk (default: as `rouse appliance build` makes it)")
		.option('--dry-run', 'look at the host, and say what would be done')
		.addHelpText(
			'after',
			"\nExample:  rouse host add hv1 --kind hyperv --ssh Administrator@hv1 --switch lan --datastore 'D:\\Rouse'",
		)
		.action(async (name, options) => {
			const installation = await openInstallation(homeDirectory(context.env));
			if ((await loadConfig(installation)).host.name === name)
				throw new RouseError('name_conflict', `${name} is this host`, { hint: 'choose another name' });
			const { planAccess } = await import('./given.ts');
			await planAccess(installation); // before anything is done elsewhere
			const { setupParts } = await import('./setup-parts.ts');
			const { addHost, planHost } = await import('../../hypervisors/hyperv/host-setup/add.ts');
			const wanted: WantedHost = {
				name,
				...options.ssh,
				port: options.port,
				datastore: options.datastore,
				externalSwitch: options.switch,
				address: options.address,
				...(options.gateway === undefined ? {} : { gateway: options.gateway }),
				nameServers: options.nameServer,
			};
			await showing(context.output, async (tell: (event: SetupEvent) => void) => {
				const parts = setupParts(context, installation, name, { ...options, tell });
				if (options.dryRun) {
					const { record, steps } = await planHost(wanted, parts);
					const text = steps.length === 0 ? `${name} is added already.` : `Would be made:\n  ${steps.join('\n  ')}`;
					return context.output.result({ dryRun: true, steps, ...answerOf(record) }, text);
				}
				const { record, added } = await addHost(wanted, parts);
				return context.output.result(
					{ added, ...answerOf(record) },
					`${name}: ${added ? 'added' : 'is added already'}; its appliance is ${record.applianceId} there, at ${record.network.applianceAddress}`,
				);
			});
		});

function answerOf({ wanted, hostId, applianceId, network }: HostRecord) {
	const { name, user, host, port, datastore, externalSwitch } = wanted;
	return { name, ssh: `${user}@${host}`, port, datastore, switch: externalSwitch, hostId, applianceId, network };
}

function parseKind(text: string): 'hyperv' {
	if (text === 'hyperv') return text;
	throw new InvalidArgumentError(`"${text}": hyperv is the only kind that is added from elsewhere.`);
}

/** As the appliance's seed takes them; neither may look like an option of ssh. */
function parseSsh(text: string): { user: string; host: string } {
	const { user, host } =
		/^(?<user>[^\s"@-][^\s"]{0,103})@(?<host>[A-Za-z\d:][A-Za-z\d.:-]{0,252})$/.exec(text)?.groups ?? {};
	if (user !== undefined && host !== undefined) return { user, host };
	throw new InvalidArgumentError(`"${text}": write Administrator@hv1.`);
}

function parseDatastore(text: string): string {
	const directory = text.replace(/\\+$/, '');
	if (hypervHostSchema.shape.datastore.safeParse(directory).success && !directory.includes('/')) return directory;
	throw new InvalidArgumentError(`"${text}": write a directory of Windows, as 'D:\\Rouse'.`);
}

function parsePort(text: string): number {
	const port = hypervHostSchema.shape.port.safeParse(Number(text));
	if (port.success) return port.data;
	throw new InvalidArgumentError(`"${text}" is no port.`);
}

function collect(text: string, before: string[]): string[] {
	return [...before, text];
}
