import type { HostParts } from '../parts.ts';

/** A cmdlet between its two points, where faults happen. */
export async function cmdlet<T>({ faults }: HostParts, name: string, work: () => Promise<T>): Promise<T> {
	await faults.reach(name, name);
	const result = await work();
	await faults.reach(`${name} done`, name);
	return result;
}
