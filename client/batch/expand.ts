import { type BatchItem, batchLimits, type BatchPlan } from '../../model/batch.ts';
import type { BatchFile } from '../../model/batch-file.ts';
import { planObjection } from '../../model/batch-requests.ts';
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { DrillTest } from '../../model/drill.ts';
import { isolatedNetwork } from '../../model/isolated-network.ts';
import { pointWarnings } from '../../model/point-warnings.ts';
import type { OfDrill, RecoveryRequest } from '../../model/recovery.ts';
import {
	defaultDrillName,
	defaultName,
	type FoundPoint,
	hashRequest,
	type PoolHost,
	refuseUnfitEverywhere,
	type RequestOptions,
	requestOf,
} from '../requests.ts';
import type { Catalogue } from './catalogue.ts';
import { type NamedMachine, namedMachines } from './machines.ts';
import { sharedFields } from './shared-fields.ts';
import { circleOf } from './waves.ts';

export interface BatchSurroundings {
	catalogue: Pick<Catalogue, 'machines' | 'point' | 'pointAt'>;
	/** Absolute directory of a repository by its name; without a name, of the one that is meant then. */
	directoryOf: (repository: string | undefined) => Promise<string>;
	/** Names of all hosts of the installation, its own first. */
	known: readonly [string, ...string[]];
	/** Those that the file names, and the installation's own. */
	hosts: ReadonlyMap<string, PoolHost>;
	/** Where networks lead that the file does not map, on the installation's own host. */
	networks: RecoveryRequest['networks'];
	/** `FILE:LINE:COLUMN` of a part of the file. */
	placeOf: (keys: readonly PropertyKey[]) => string;
	/** What exists under the name of a recovery: its restore point is kept where the file says none by its time. */
	existing: (name: string) => RecoveryRequest | undefined;
	nowMs: number;
	/** They are recoveries of this drill. */
	drill?: OfDrill;
	/** Default: who runs this process. */
	requestedBy?: string | undefined;
}

/** A machine of the batch, and what its restore point is like. */
export interface WantedItem {
	group: string;
	request: RecoveryRequest;
	point: FoundPoint;
	/** Of a drill. */
	tests: DrillTest[];
}

export interface Expansion {
	plan: BatchPlan;
	items: WantedItem[];
	/** What a person should know, of the file as a whole. */
	warnings: string[];
}

/**
 * What a batch file comes to: a request for each machine, in order, all points resolved. Every error says the place in the
 * file. Changes nothing.
 */
export async function expandBatch(file: BatchFile, surroundings: BatchSurroundings): Promise<Expansion> {
	const { catalogue, directoryOf, placeOf } = surroundings;
	const refuse = (keys: readonly PropertyKey[], { code, message, hint, details, cause }: RouseError) =>
		new RouseError(code, `${placeOf(keys)}: ${message}`, { hint, details, cause });
	refuseGroups(file, refuse);
	const machinesOf = async (name: string | undefined) => catalogue.machines(await directoryOf(name));
	const named = await namedMachines(file, machinesOf, refuse);
	refuseNumber(named.length);
	const warnings = new Set<string>();
	const items: WantedItem[] = [];
	const names = new Map<string, NamedMachine>();
	for (const machine of named) {
		try {
			const item = await wantedItem(machine, file, surroundings, warnings);
			const { name } = item.request;
			const before = names.get(name);
			if (before) throw takenTwice(name, placeOf(before.keys));
			names.set(name, machine);
			items.push(item);
		} catch (error) {
			throw refuse(machine.keys, asRouseError(error));
		}
	}
	const plan = planOf(file, items);
	const objection = planObjection(plan);
	if (objection !== undefined) throw new RouseError('spec_invalid', `batch ${plan.name}: ${objection}`);
	return { plan, items, warnings: [...warnings] };
}

type Refuse = (keys: readonly PropertyKey[], error: RouseError) => RouseError;

function refuseGroups({ groups }: BatchFile, refuse: Refuse): void {
	const names = groups.map(({ name }) => name);
	for (const [g, { name, after = [] }] of groups.entries()) {
		if (names.indexOf(name) < g)
			throw refuse(['groups', g, 'name'], new RouseError('spec_invalid', `there is a group ${name} before it`));
		for (const [a, other] of after.entries())
			if (!names.includes(other))
				throw refuse(
					['groups', g, 'after', a],
					new RouseError('spec_invalid', `there is no group ${other}`, { hint: `there are ${names.join(', ')}` }),
				);
	}
	const circle = circleOf(groups.map(({ name, after = [] }) => ({ name, after })));
	if (circle === undefined) return;
	const [first = ''] = circle;
	throw refuse(
		['groups', names.indexOf(first), 'after'],
		new RouseError('spec_invalid', `groups wait for each other: ${[...circle, first].join(' after ')}`),
	);
}

function refuseNumber(machines: number): void {
	if (machines === 0) throw new RouseError('spec_invalid', 'no machine is left for this batch');
	if (machines > batchLimits.items)
		throw new RouseError('spec_invalid', `${machines} machines: a batch takes ${batchLimits.items}`, {
			hint: 'make several batches of it; the broker orders what they start together',
			details: { machines, limit: batchLimits.items },
		});
}

function takenTwice(name: string, place: string): RouseError {
	return new RouseError('spec_invalid', `a recovery ${name} is there already, at ${place}`, {
		hint: 'give one of them another name',
	});
}

async function wantedItem(
	{ machine, group, entry, settings }: NamedMachine,
	{ reason }: BatchFile,
	surroundings: BatchSurroundings,
	warnings: Set<string>,
): Promise<WantedItem> {
	const { known, directoryOf, nowMs } = surroundings;
	const [own] = known;
	const chosen = (settings.hosts ?? [own]).map(name => hostNamed(name, surroundings));
	const [first, ...others] = chosen.map(({ place }) => place);
	if (first === undefined) throw new RouseError('internal', 'no host was chosen');
	const { drill, requestedBy } = surroundings;
	const name = entry.name ?? (drill ? defaultDrillName(machine) : defaultName(machine));
	const repository = await directoryOf(settings.repository);
	const point = await pointOf(repository, settings.point ?? 'latest', machine, {
		name,
		...surroundings,
	});
	for (const warning of pointWarnings(point)) warnings.add(`${machine}@${point.time}: ${warning}`);
	const networks = {
		...(!drill && chosen.some(({ place }) => place.host === own) ? surroundings.networks : {}),
		...settings.networks,
	};
	const wanted = {
		networks: drill ? isolated(point, networks) : networks,
		memoryMiB: entry.memory ?? point.config.memoryMiB,
	};
	// One host that can is enough; of one that did not answer nothing is known.
	for (const { message } of refuseUnfitEverywhere(
		chosen.map(({ view }) => view),
		wanted,
	))
		warnings.add(`${machine} goes elsewhere: ${message}`);
	const options = {
		...optionsOf({ entry, settings }, nowMs),
		name,
		networks,
		reason,
		requestedBy,
		...(drill ? ofDrill(drill, settings) : {}),
	};
	const request = requestOf(point, options, { repository, places: [first, ...others] });
	return { group, request, point, tests: settings.tests ?? [] };
}

/** Whoever is to come back in earnest goes first, unless somebody says otherwise. */
function ofDrill(drill: OfDrill, { priority = lowestPriority }: NamedMachine['settings']): Partial<RequestOptions> {
	return { drill, priority, finish: 'manual', switch: 'manual' };
}

const lowestPriority = 5;

/** What a host has to offer for it. */
function isolated({ config }: FoundPoint, networks: RecoveryRequest['networks']): RecoveryRequest['networks'] {
	return Object.fromEntries(config.nics.map(({ network }) => [network, networks[network] ?? isolatedNetwork]));
}

function optionsOf({ entry, settings }: Pick<NamedMachine, 'entry' | 'settings'>, nowMs: number): RequestOptions {
	const { ready, rto } = settings;
	return {
		name: entry.name,
		machineName: entry.machineName,
		finish: settings.finish ?? 'manual',
		switch: settings.switch ?? 'auto',
		allocate: settings.allocate ?? 'start',
		forwards: entry.forwards,
		memoryMiB: entry.memory,
		cpus: entry.cpus,
		newMac: settings.newMac,
		platformOptions: entry.platform,
		powerOn: settings.power !== 'off',
		maxRateBytes: settings.maxRate,
		priority: settings.priority,
		deadline: settings.by ?? (rto === undefined ? undefined : new Date(nowMs + rto).toISOString()),
		readiness: ready === 'power' ? undefined : ready,
	};
}

function hostNamed(name: string, { hosts, known }: Pick<BatchSurroundings, 'hosts' | 'known'>): PoolHost {
	const found = hosts.get(name);
	if (found) return found;
	throw new RouseError('host_unknown', `there is no host ${name}`, {
		hint: `this installation has: ${known.join(', ')}`,
	});
}

/** `latest` of what is there already is what it was started with: a batch that is started again finds its recoveries. */
async function pointOf(
	repository: string,
	written: string,
	machine: string,
	{ name, catalogue, existing }: BatchSurroundings & { name: string },
): Promise<FoundPoint> {
	const there = written === 'latest' ? existing(name) : undefined;
	if (there === undefined || there.machine !== machine || there.repository !== repository)
		return catalogue.point(repository, machine, written);
	return catalogue.pointAt(repository, machine, there.restorePoint);
}

function planOf(file: BatchFile, items: readonly WantedItem[]): BatchPlan {
	const [first] = items;
	const { common, differs } = sharedFields(items.map(({ request }) => request));
	return {
		name: file.name,
		common,
		items: items.map(
			({ group, request }, at): BatchItem => ({
				name: request.name,
				group,
				requestHash: hashRequest(request),
				differs: differs[at] ?? {},
			}),
		),
		groups: file.groups.map(({ name, after = [] }) => ({ name, after })),
		window: file.window,
		onFailure: file.onFailure,
		reason: file.reason ?? '',
		requestedBy: first?.request.requestedBy ?? '',
	};
}
