/**
 * The kernel's own iSCSI target, by its files: Documentation/target/ of Linux, and drivers/target/iscsi/
 * iscsi_target_configfs.c for their names. Each directory is an object; making and removing it is making and removing that.
 */
import { mkdir, readFile, readlink, rmdir, symlink, unlink, writeFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { RouseError } from '../../../../model/errors.ts';
import { isErrno } from '../../../../system/durable-file.ts';
import { namesIn } from '../../../../system/names-in.ts';
import { chapUser } from '../chap.ts';
import type { IscsiTarget } from '../definition.ts';

const root = '/sys/kernel/config/target';
/** As with tgtd, whose LUN 0 is its own. */
const lun = 'lun_1';

type Named = Pick<IscsiTarget, 'iqn' | 'serial'>;

function placesOf({ iqn, serial }: Named) {
	const adapter = join(root, 'core', 'iblock_0');
	const target = join(root, 'iscsi', iqn);
	const group = join(target, 'tpgt_1');
	const store = join(adapter, `rouse-${serial}`);
	return { adapter, store, target, group, portals: join(group, 'np'), unit: join(group, 'lun', lun) };
}

/** Enabled last: nobody reaches a target that is half made. Throws `machine_failed`, as when somebody else has the port. */
export async function makeLioTarget(target: IscsiTarget, device: string): Promise<void> {
	const { adapter, store, target: own, group, portals, unit } = placesOf(target);
	try {
		await makeOne(join(root, 'iscsi'));
		await makeOne(adapter);
		await makeOne(store);
		await writeFile(join(store, 'control'), `udev_path=${device}`);
		await writeFile(join(store, 'udev_path'), device); // only to be read again
		// A host takes two disks with one identity for one disk.
		await writeFile(join(store, 'wwn', 'vpd_unit_serial'), target.serial);
		await writeFile(join(store, 'enable'), '1');
		for (const path of [own, group, unit]) await makeOne(path);
		await symlink(store, join(unit, 'store'));
		await makeOne(join(portals, portalOf(target)));
		// Whoever knows the secret, whatever it calls itself.
		for (const [name, value] of [
			['authentication', '1'],
			['generate_node_acls', '1'],
			['cache_dynamic_acls', '1'],
			['demo_mode_write_protect', '0'],
		] as const)
			await writeFile(join(group, 'attrib', name), value);
		await writeFile(join(group, 'auth', 'userid'), chapUser);
		await writeFile(join(group, 'auth', 'password'), target.chapSecret);
		await writeFile(join(group, 'enable'), '1');
	} catch (cause) {
		throw new RouseError(
			'machine_failed',
			`the kernel makes no iSCSI target on ${portalOf(target)}: ${String(cause)}`,
			{
				cause,
				hint: 'look whether another program has that port, and whether this host has that address',
			},
		);
	}
}

/** As `makeLioTarget` leaves it. */
export async function isLioTarget(target: IscsiTarget, device: string): Promise<boolean> {
	const { store, group, portals, unit } = placesOf(target);
	const is = async (path: string, value: string) => (await contentOf(path)) === value;
	return (
		(await namesIn(portals)).includes(portalOf(target)) &&
		(await leadsTo(join(unit, 'store'))) === store &&
		(await is(join(store, 'udev_path'), device)) &&
		(await is(join(group, 'auth', 'password'), target.chapSecret)) &&
		(await is(join(group, 'attrib', 'authentication'), '1')) &&
		(await is(join(group, 'enable'), '1'))
	);
}

/** Waits for what is under way: the device below must have been ended, so that nothing waits there. MAY find nothing. */
export async function removeLioTarget(named: Named): Promise<void> {
	const { store, target, group, portals, unit } = placesOf(named);
	await unlessGone(() => writeFile(join(group, 'enable'), '0', { flag: 'r+' }));
	await unlessGone(() => unlink(join(unit, 'store')));
	for (const name of await namesIn(portals)) await unlessGone(() => rmdir(join(portals, name)));
	for (const path of [unit, group, target, store]) await unlessGone(() => rmdir(path));
}

function portalOf({ address, port }: Pick<IscsiTarget, 'address' | 'port'>): string {
	return `${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

async function makeOne(path: string): Promise<void> {
	try {
		await mkdir(path);
	} catch (error) {
		if (!isErrno(error, 'EEXIST')) throw error;
	}
}

async function contentOf(path: string): Promise<string | undefined> {
	try {
		return (await readFile(path, 'utf8')).trim();
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}

async function leadsTo(path: string): Promise<string | undefined> {
	try {
		return join(path, '..', await readlink(path));
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}

async function unlessGone(act: () => Promise<void>): Promise<void> {
	try {
		await act();
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error;
	}
}
