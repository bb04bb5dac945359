import { createHash } from 'node:crypto';
import type { DiskImage } from '../model/chunk.ts';
import { asRouseError, RouseError } from '../model/errors.ts';
import type { MachineConfig } from '../model/machine.ts';
import { refuseTooLarge } from '../model/machine-size.ts';
import type { PointReference } from '../model/names.ts';
import { pointWarnings } from '../model/point-warnings.ts';
import type { Place, RecoveryRequest } from '../model/recovery.ts';
import { resolvePoint } from '../repository/points.ts';
import { readChosenPoint } from '../repository/read-points.ts';
import { withRepositoryIn } from '../repository/repository.ts';
import { type HostView, protocolVersion } from '../supervisor/protocol.ts';
import type { Config } from '../system/installation.ts';
import { caller } from './caller.ts';

/** What may be asked for beside the restore point; docs/cli.md says what each means. */
export interface RequestOptions {
	/** Default: {@link defaultName}. */
	name?: string | undefined;
	/** Default: the host of the installation. */
	host?: string | undefined;
	/** Default: that of the recovery. */
	machineName?: string | undefined;
	finish: RecoveryRequest['policy']['finish'];
	switch: RecoveryRequest['policy']['switch'];
	allocate: RecoveryRequest['allocate'];
	/** On top of those that the configuration names. */
	networks?: RecoveryRequest['networks'] | undefined;
	forwards?: RecoveryRequest['forwards'];
	/** Default: what the machine had. */
	memoryMiB?: number | undefined;
	cpus?: number | undefined;
	newMac?: boolean | undefined;
	/** In the words of the host's platform. */
	platformOptions?: RecoveryRequest['platformOptions'] | undefined;
	powerOn: boolean;
	/** Default: ready when it is powered on. */
	readiness?: RecoveryRequest['readiness'];
	/** Per second; 0 is unlimited. */
	maxRateBytes?: number | undefined;
	/** Of those that wait for a place: 1 goes first, 5 last; default 3. */
	priority?: RecoveryRequest['priority'];
	/** Among equal priorities the earliest goes first. */
	deadline?: RecoveryRequest['deadline'];
	reason?: string | undefined;
	/** Default: who runs this process. */
	requestedBy?: string | undefined;
	/** It is disposable, and this drill's. */
	drill?: RecoveryRequest['drill'];
}

/** The id of a host of another machine, as config.yaml names it; undefined for the installation's own. Throws `host_unknown`. */
export function idElsewhere({ host, hosts }: Pick<Config, 'host' | 'hosts'>, name: string): string | undefined {
	if (name === host.name) return undefined;
	const found = Object.hasOwn(hosts, name) ? hosts[name] : undefined;
	if (found !== undefined) return found.id;
	throw new RouseError('host_unknown', `there is no host ${name}`, {
		hint: `this installation has: ${[host.name, ...Object.keys(hosts)].join(', ')}`,
	});
}

export interface Surroundings {
	/** Where source networks lead that the options do not map. */
	networks: RecoveryRequest['networks'];
	/** Absolute directory. */
	repository: string;
	host: HostView;
	/** Told of what is wrong with the point. */
	onWarning?: ((warning: string) => void) | undefined;
}

/**
 * The request that is meant, with the point resolved to its full time and its manifest's digest. Throws the code that makes the host unusable, `protocol` when its supervisor is of another, `config_invalid` for a network that
 * it does not have, `precheck_failed` for a machine larger than it, and what the repository has to say about the point.
 */
export async function makeRequest(
	reference: PointReference,
	options: RequestOptions,
	{ networks: byDefault, repository, host, onWarning }: Surroundings,
): Promise<RecoveryRequest> {
	checkUsable(host);
	const networks = { ...byDefault, ...options.networks };
	for (const target of Object.values(networks)) checkNetwork(target, host);
	const point = await findPoint(repository, reference);
	for (const warning of pointWarnings(point)) onWarning?.(`${reference.machine}@${point.time}: ${warning}`);
	refuseTooLarge({ memoryMiB: options.memoryMiB ?? point.config.memoryMiB }, `host ${host.name}`, host.memory);
	return requestOf(point, { ...options, networks }, { repository, places: [{ host: host.name, hostId: host.hostId }] });
}

/** A host of a pool as it was asked; null: it did not answer, and may have when its turn comes. */
export interface PoolHost {
	place: Place;
	view: HostView | null;
}

/**
 * As {@link makeRequest} for any of these hosts. One that is unfit is warned of, since it may be fit when its turn comes;
 * what is wrong with the first is thrown where all are.
 */
export async function makePoolRequest(
	reference: PointReference,
	options: RequestOptions,
	{
		networks: byDefault,
		repository,
		hosts,
		onWarning,
	}: Omit<Surroundings, 'host'> & { hosts: readonly [PoolHost, ...PoolHost[]] },
): Promise<RecoveryRequest> {
	const networks = { ...byDefault, ...options.networks };
	const point = await findPoint(repository, reference);
	for (const warning of pointWarnings(point)) onWarning?.(`${reference.machine}@${point.time}: ${warning}`);
	const wanted = { networks, memoryMiB: options.memoryMiB ?? point.config.memoryMiB };
	const views = hosts.map(({ view }) => view);
	for (const { message } of refuseUnfitEverywhere(views, wanted)) onWarning?.(`it goes elsewhere: ${message}`);
	const [first, ...others] = hosts;
	const places: [Place, ...Place[]] = [first.place, ...others.map(({ place }) => place)];
	return requestOf(point, { ...options, networks }, { repository, places });
}

/** Of a restore point that was found. `places`: where it may run; the first is its host until it was given one. */
export function requestOf(
	{ machine, time, manifestDigest }: Pick<FoundPoint, 'machine' | 'time' | 'manifestDigest'>,
	options: Omit<RequestOptions, 'host'>,
	{ repository, places }: { repository: string; places: readonly [Place, ...Place[]] },
): RecoveryRequest {
	const name = options.name ?? defaultName(machine);
	const [place] = places;
	return {
		name,
		machine,
		restorePoint: time,
		manifestDigest,
		repository,
		host: place.host,
		hostId: place.hostId,
		...(places.length > 1 ? { pool: [...places] } : {}),
		machineName: options.machineName ?? name,
		allocate: options.allocate,
		networks: options.networks ?? {},
		...(options.forwards && options.forwards.length > 0 ? { forwards: options.forwards } : {}),
		...(options.memoryMiB === undefined ? {} : { memoryMiB: options.memoryMiB }),
		...(options.cpus === undefined ? {} : { cpus: options.cpus }),
		newMac: options.newMac ?? false,
		platformOptions: options.platformOptions ?? {},
		powerOn: options.powerOn,
		...(options.readiness === undefined ? {} : { readiness: options.readiness }),
		...(options.drill === undefined ? {} : { drill: options.drill }),
		policy: { finish: options.finish, switch: options.switch, maxRateBytes: options.maxRateBytes ?? 0 },
		...(options.priority === undefined ? {} : { priority: options.priority }),
		...(options.deadline === undefined ? {} : { deadline: options.deadline }),
		reason: options.reason ?? '',
		requestedBy: options.requestedBy ?? caller(),
	};
}

/** Throws what stands in the way of a machine on this host, as {@link makeRequest} does. */
function refuseUnfit(
	host: HostView,
	{ networks, memoryMiB }: Pick<RecoveryRequest, 'networks'> & { memoryMiB: number },
): void {
	checkUsable(host);
	for (const target of Object.values(networks)) checkNetwork(target, host);
	refuseTooLarge({ memoryMiB }, `host ${host.name}`, host.memory);
}

/** What {@link refuseUnfit} says of some of a pool; thrown where it says so of all. */
export function refuseUnfitEverywhere(
	hosts: readonly (HostView | null)[],
	wanted: Parameters<typeof refuseUnfit>[1],
): RouseError[] {
	const problems: RouseError[] = [];
	for (const host of hosts) {
		try {
			if (host) refuseUnfit(host, wanted);
		} catch (error) {
			problems.push(asRouseError(error));
		}
	}
	const [first] = problems;
	if (first && problems.length === hosts.length) throw first;
	return problems;
}

function checkUsable({ name, protocol, unusable }: HostView): void {
	if (protocol !== protocolVersion)
		throw new RouseError('protocol', `the supervisor of ${name} speaks protocol ${protocol}, not ${protocolVersion}`, {
			hint: 'restart the services, so that all are of one version',
		});
	if (unusable) throw new RouseError(unusable.code, unusable.message, { hint: unusable.hint });
}

/** A mistake that would else come out only when the recovery has its place on the host. */
function checkNetwork(target: string, { name, networks, networksMissing, networksInstead = {} }: HostView): void {
	const known = [...networks.map(network => network.name), 'none'];
	if (known.includes(target)) return;
	const instead = Object.hasOwn(networksInstead, target) ? `${networksInstead[target]}; ` : '';
	throw new RouseError('config_invalid', `host ${name} has no network "${target}"`, {
		hint: `${instead}it has: ${known.join(', ')}${networksMissing === undefined ? '' : `; ${networksMissing}`}`,
	});
}

/** The same each time, so that the same request twice is one recovery. */
export function defaultName(machine: string): string {
	return `${machine.slice(0, 37)}-r1`;
}

/** Another than that of a recovery in earnest, which it must not stand in the way of. */
export function defaultDrillName(machine: string): string {
	return `${machine.slice(0, 34)}-drill`;
}

/**
 * The same request is the same recovery, whoever asks and why: `requestedBy` and `reason` do not count, nor what may change
 * while it waits, and which host of a pool it was given. Keys are sorted, so that the order in which a client wrote them
 * does not either.
 */
export function hashRequest(request: RecoveryRequest): string {
	const { requestedBy: _by, reason: _reason, priority: _priority, deadline: _deadline, ...asked } = request;
	const { host: _host, hostId: _hostId, pool, ...anywhere } = asked;
	const what = pool ? { ...anywhere, pool: pool.toSorted((a, b) => (a.hostId < b.hostId ? -1 : 1)) } : asked;
	return createHash('sha256')
		.update(JSON.stringify(what, (_key, value: unknown) => (isRecord(value) ? sorted(value) : value)))
		.digest('hex');
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sorted(record: Record<string, unknown>): Record<string, unknown> {
	return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** What the repository has of a restore point. */
export interface FoundPoint {
	machine: string;
	time: string;
	manifestDigest: string;
	config: MachineConfig;
	facts: Readonly<Record<string, unknown>>;
	disks: DiskImage[];
}

async function findPoint(directory: string, { machine, point }: PointReference): Promise<FoundPoint> {
	return withRepositoryIn(directory, async repository => {
		const time = await resolvePoint(repository, machine, point);
		const { manifestDigest, manifest } = await readChosenPoint(repository, machine, time);
		const { config, facts, disks } = manifest;
		return { machine, time, manifestDigest, config, facts, disks };
	});
}
