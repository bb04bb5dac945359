/** QEMU's tree of objects: qapi/qom.json. */
import * as z from 'zod';
import { isRefusal, type Monitor } from './monitor.ts';

const listSchema = z.array(z.object({ name: z.string(), type: z.string() }));

/** Where devices are: by their ids, those without one, and those that the machine itself has brought. */
const containers = ['/machine/peripheral', '/machine/peripheral-anon', '/machine/unattached'];

export interface Device {
	path: string;
	/** As `-device` names it. */
	type: string;
}

export async function devicesOf(monitor: Monitor): Promise<Device[]> {
	const devices: Device[] = [];
	for (const container of containers)
		for (const { name, type } of await listOf(monitor, container)) {
			const child = /^child<(.+)>$/.exec(type)?.[1];
			if (child !== undefined) devices.push({ path: `${container}/${name}`, type: child });
		}
	return devices;
}

/** Properties of one object; undefined for what it has not, or has of another type. */
export interface Properties {
	text(name: string): Promise<string | undefined>;
	number(name: string): Promise<number | undefined>;
}

export async function propertiesOf(monitor: Monitor, path: string): Promise<Properties> {
	const names = new Set((await listOf(monitor, path)).map(({ name }) => name));
	const get = async (property: string) =>
		names.has(property) ? monitor.ask('qom-get', z.unknown(), { path, property }) : undefined;
	return {
		text: async name => {
			const value = await get(name);
			return typeof value === 'string' ? value : undefined;
		},
		number: async name => {
			const value = await get(name);
			return typeof value === 'number' ? value : undefined;
		},
	};
}

/** Nothing for an object that is not there: a machine need not have all of these. */
async function listOf(monitor: Monitor, path: string): Promise<z.infer<typeof listSchema>> {
	try {
		return await monitor.ask('qom-list', listSchema, { path });
	} catch (error) {
		if (isRefusal(error)) return [];
		throw error;
	}
}
