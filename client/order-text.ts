/** Orders and steps as an audit tells them to people. */
import { formatBytes } from '../model/format-bytes.ts';
import { policySchema } from '../model/recovery.ts';
import { setPolicyUpdate } from '../workflows/contracts.ts';

/** `given`: what was said with the order, but for who and why. */
export function orderText(name: string, given: Readonly<Record<string, unknown>>): string {
	if (name === setPolicyUpdate.name) return policyText(given['policy']);
	return [name, ...Object.values(given).map(value => (typeof value === 'string' ? value : JSON.stringify(value)))].join(
		' ',
	);
}

function policyText(given: unknown): string {
	const { data: { maxRateBytes, switch: switches, finish } = {} } = policySchema.partial().safeParse(given);
	const parts = [];
	if (maxRateBytes === 0) parts.push('no limit of the migration');
	else if (maxRateBytes !== undefined) parts.push(`limit of the migration: ${formatBytes(maxRateBytes)}/s`);
	if (switches !== undefined) parts.push(`switch ${switches === 'auto' ? 'by itself' : 'when told'}`);
	if (finish !== undefined) parts.push(`migrate ${finish === 'migrate' ? 'by itself' : 'when told'}`);
	return parts.join(', ') || 'policy';
}

const steps: Readonly<Record<string, string>> = {
	askBroker: 'request to the broker',
	reserve: 'reservation on the host',
	chooseHardware: 'choice of the devices',
	pin: 'pin of the restore point',
	allocate: 'allocation of the disks',
	createMachine: 'definition of the machine',
	startMovers: 'start of the movers',
	snapshot: 'protective snapshot',
	powerOn: 'power-on',
	checkReadiness: 'check whether the machine is ready',
	keepFirstReads: 'memory of what the machine reads first',
	migrateChunks: 'copying of the disks',
	pauseMigration: 'pause of the copying',
	switchToTarget: 'switch to its own disks',
	finalize: 'finish',
	unpin: 'unpin of the restore point',
	unpinned: 'report that the restore point is not pinned',
	oweUnpin: "the host's promise to unpin the restore point",
	planImport: 'plan of what is read',
	sweepImports: 'removal of what earlier imports have left',
	beginImport: 'beginning of the moment on the platform',
	awaitMoment: 'wait for the platform to have the moment at hand',
	copyImport: 'copying of the disks',
	commitImport: 'report to the platform that the restore point is stored',
	giveUpImport: 'removal of what was begun on the platform',
};

/** What is done in a step, for people: its name is the activity's. */
export function stepText(step: string): string {
	return steps[step] ?? step;
}
