import type { WindowsFacts } from '../model/boot-facts.ts';
import type { NamedFileSystem } from './file-node.ts';
import type { Notes } from './notes.ts';
import { bytesOf, find } from './paths.ts';
import { Hive, type Key } from './registry/hive.ts';

/** Drivers that platforms need, as their services are called. */
const lookedForServices = [
	'vmbus',
	'storvsc',
	'storflt',
	'netvsc',
	'atapi',
	'intelide',
	'storahci',
	'msahci',
	'viostor',
	'vioscsi',
	'netkvm',
];

/** Of a server that has been at work for years: some dozen MiB. */
const mostHiveBytes = 128 * 2 ** 20;

/** The first Windows of a machine; undefined when there is none, or it cannot be read. */
export async function readWindows(
	fileSystems: readonly NamedFileSystem[],
	notes: Notes,
): Promise<WindowsFacts | undefined> {
	for (const fileSystem of fileSystems) {
		if (fileSystem.kind !== 'ntfs') continue;
		const facts = await notes.unlessUnreadable('Windows', fileSystem.where, async () => {
			const file = await find(fileSystem, '/Windows/System32/config/SYSTEM');
			return file?.kind === 'file' ? factsIn(new Hive(await bytesOf(file, mostHiveBytes))) : undefined;
		});
		if (facts !== undefined) return facts;
	}
	return undefined;
}

/**
 * https://learn.microsoft.com/windows-hardware/drivers/install/hklm-system-currentcontrolset-services-registry-tree: `Start`
 * is 0 for what the boot loader loads. The number in `StartOverride`, which Windows itself writes for drivers of disks that it
 * was not installed on, stands above it; no document says so, and who moves disks between controllers deletes it.
 */
function factsIn(hive: Hive): WindowsFacts | undefined {
	const select = hive.key(['Select']);
	const current = select && hive.number(select, 'Current');
	if (current === undefined || current > 999) return undefined;
	const services = hive.key([`ControlSet${String(current).padStart(3, '0')}`, 'Services']);
	if (services === undefined) return undefined;
	const all = hive.keysOf(services);
	const startOf = (name: string) => {
		const key = all.find(one => one.name.toLowerCase() === name);
		const start = key && (overrideOf(hive, key) ?? hive.number(key, 'Start'));
		return start === undefined || start > 4 ? null : start;
	};
	return { starts: Object.fromEntries(lookedForServices.map(name => [name, startOf(name)])) };
}

function overrideOf(hive: Hive, service: Key): number | undefined {
	const key = hive.key(['StartOverride'], service);
	return key && hive.number(key, '0');
}
