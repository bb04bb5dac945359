/** `rouse host add`: another machine becomes a host of Rouse, from here, by SSH. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { RouseError } from '../../model/errors.ts';
import type { HostRecord, WantedHost } from '../../hypervisors/hyperv/host-setup/record.ts';
import type { SetupEvent } from '../../hypervisors/hyperv/host-setup/work.ts';
import { hypervHostSchema } from '../../system/hyperv-host.ts';
import { homeDirectory, type Installation, loadConfig, openInstallation } from '../../system/installation.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { addLinux, parseDirectory, stepsText } from './add-linux.ts';
import type { SetupOptions } from './setup-parts.ts';
import { showing } from './showing.ts';

export const add = (context: Context) =>
	command('add')
		.description('make another machine a host, by SSH: a Linux one with QEMU, or a Windows one with Hyper-V')
		.argument('<name>', 'what it is called in Rouse', parseName)
		.requiredOption('--ssh <user@host>', 'root, or an administrator of Windows, who logs in by a key', parseSsh)
		.addOption(new Option('--kind <kind>', 'what it is').choices(['qemu', 'hyperv'] as const).default('qemu' as const))
		.option('--port <port>', 'of its OpenSSH server', parsePort, 22)
		.option('--identity <file>', "the administrator's private key (default: what ssh finds by itself)")
		.option('--host-key <fingerprint>', 'of the host, as SHA256:…, read at the host itself (default: you are asked)')
		.option('--directory <dir>', 'qemu: where Rouse is put there (default: /opt/rouse)', parseDirectory)
		.option(
			'--home <dir>',
			'qemu: its home there, where targets and writes of guests are (default: /var/lib/rouse)',
			parseDirectory,
		)
		.option('--install-packages', 'qemu: install the Debian packages that it lacks')
		.option('--switch <name>', 'hyperv: its external switch, towards Temporal and the repository')
		.option('--datastore <dir>', 'hyperv: its directory for targets and writes of guests, as D:\\Rouse', parseDatastore)
		.option('--address <address>', "hyperv: the appliance's on that switch: dhcp (default), or as 192.0.2.20/24")
		.option('--gateway <address>', 'hyperv: where it is not told by DHCP')
		.option('--name-server <address>', 'hyperv: likewise; may be repeated', collect)
		.option('--appliance <file>', "hyperv: the appliance's disk (default: as `rouse appliance build` makes it)")
		.option('--dry-run', 'look at the host, and say what would be done')
		.addHelpText(
			'after',
			"\nExample:  rouse host add kvm2 --ssh root@kvm2\n          rouse host add hv1 --kind hyperv --ssh Administrator@hv1 --switch lan --datastore 'D:\\Rouse'",
		)
		.action(async (name, options) => {
			const installation = await openInstallation(homeDirectory(context.env));
			if ((await loadConfig(installation)).host.name === name)
				throw new RouseError('name_conflict', `${name} is this host`, { hint: 'choose another name' });
			const { kind } = options;
			refuseOthers(kind, options);
			if (kind === 'qemu') return await addLinux(context, installation, name, options);
			const { switch: externalSwitch, datastore } = options;
			if (externalSwitch === undefined || datastore === undefined)
				throw new RouseError('usage', '--kind hyperv wants --switch and --datastore');
			return await addWindows(context, installation, name, { ...options, externalSwitch, datastore });
		});

/** Options of the other kind, which would be passed over without a word. */
function refuseOthers(kind: 'qemu' | 'hyperv', options: object): void {
	const others = kind === 'qemu' ? ofWindows : ofLinux;
	const given = others.find(option => Object.hasOwn(options, option));
	if (given === undefined) return;
	const flag = given.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
	throw new RouseError('usage', `--${flag} is not of a host of --kind ${kind}`);
}

const ofLinux = ['directory', 'home', 'installPackages'];
const ofWindows = ['switch', 'datastore', 'address', 'gateway', 'nameServer', 'appliance'];

interface WindowsOptions extends SetupOptions {
	ssh: { user: string; host: string };
	port: number;
	datastore: string;
	externalSwitch: string;
	address?: string | undefined;
	gateway?: string | undefined;
	nameServer?: string[] | undefined;
	dryRun?: boolean | undefined;
}

async function addWindows(
	context: Context,
	installation: Installation,
	name: string,
	options: WindowsOptions,
): Promise<void> {
	const { planAccess } = await import('./given.ts');
	await planAccess(installation); // before anything is done elsewhere
	const { setupParts } = await import('./setup-parts.ts');
	const { addHost, planHost } = await import('../../hypervisors/hyperv/host-setup/add.ts');
	const { ssh, port, datastore, externalSwitch, address = 'dhcp', gateway, nameServer: nameServers = [] } = options;
	const network = { externalSwitch, address, ...(gateway === undefined ? {} : { gateway }), nameServers };
	const wanted: WantedHost = { name, ...ssh, port, datastore, ...network };
	await showing(context.output, async (tell: (event: SetupEvent) => void) => {
		const parts = setupParts(context, installation, name, { ...options, tell });
		if (options.dryRun) {
			const { record, steps } = await planHost(wanted, parts);
			return context.output.result({ dryRun: true, steps, ...answerOf(record) }, stepsText(name, steps));
		}
		const { record, added } = await addHost(wanted, parts);
		return context.output.result(
			{ added, ...answerOf(record) },
			`${name}: ${added ? 'added' : 'is added already'}; its appliance is ${record.applianceId} there, at ${record.network.applianceAddress}`,
		);
	});
}

function answerOf({ wanted, hostId, applianceId, network }: HostRecord) {
	const { name, user, host, port, datastore, externalSwitch } = wanted;
	return { name, ssh: `${user}@${host}`, port, datastore, switch: externalSwitch, hostId, applianceId, network };
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

function collect(text: string, before: string[] = []): string[] {
	return [...before, text];
}
