/** Hosts of other machines that `config.yaml` names: recoveries are started for them by these names. */
import { RouseError } from '../model/errors.ts';
import { changeConfig } from './change-config.ts';
import { loadConfig } from './installation.ts';

/** `name_conflict` when the name is another host's. Done already: nothing changes. */
export async function addHostId(installation: { home: string }, name: string, id: string): Promise<void> {
	const { hosts } = await loadConfig(installation);
	const known = Object.hasOwn(hosts, name) ? hosts[name]?.id : undefined;
	if (known === id) return;
	if (known !== undefined)
		throw new RouseError('name_conflict', `config.yaml has a host ${name}, with the id ${known}`, {
			hint: `take it out of hosts there, if it is no more; ${name} has the id ${id}`,
		});
	await changeConfig(installation, document => document.setIn(['hosts', name], { id }));
}

/** MAY find none. */
export async function removeHostId(installation: { home: string }, name: string): Promise<void> {
	const { hosts } = await loadConfig(installation);
	if (!Object.hasOwn(hosts, name)) return;
	await changeConfig(installation, document => {
		document.deleteIn(['hosts', name]);
		if (Object.keys(hosts).length === 1) document.deleteIn(['hosts']);
	});
}
