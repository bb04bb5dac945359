import { InvalidArgumentError } from '@commander-js/extra-typings';
import { checkNetwork, checkUsable } from '../../activities/control/check-host.ts';
import { RouseError } from '../../model/errors.ts';
import type { PlatformData } from '../../model/hardware.ts';
import type { PointReference } from '../../model/names.ts';
import { networkTargetSchema, type RecoveryRequest } from '../../model/recovery.ts';
import { openRepository } from '../../repository/repository.ts';
import { readPoint, resolvePoint } from '../../repository/points.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import type { Config } from '../../system/installation.ts';

export interface StartOptions {
	host?: string | undefined;
	name?: string | undefined;
	finish: RecoveryRequest['policy']['finish'];
	switch: RecoveryRequest['policy']['switch'];
	allocate: RecoveryRequest['allocate'];
	network?: Record<string, string> | undefined;
	platform?: PlatformData | undefined;
	newMac?: boolean | undefined;
	machineName?: string | undefined;
	power: 'on' | 'off';
	maxRate?: number | undefined;
	reason?: string | undefined;
}

interface Surroundings {
	config: Config;
	/** Absolute directory. */
	repository: string;
	host: HostView;
	requestedBy: string;
}

/**
 * The request that the options mean, with the point resolved to its full time and its manifest's digest. Throws
 * `host_unknown`, the code that makes the host unusable, `config_invalid` for a network that it does not have, and what the
 * repository has to say about the point.
 */
export async function makeRequest(
	reference: PointReference,
	options: StartOptions,
	{ config, repository, host, requestedBy }: Surroundings,
): Promise<RecoveryRequest> {
	if (options.host !== undefined && options.host !== host.name)
		throw new RouseError('host_unknown', `there is no host ${options.host}`, {
			hint: `this installation has: ${host.name}`,
		});
	checkUsable(host);
	const networks = { ...config.host.networks, ...options.network };
	for (const target of Object.values(networks)) checkNetwork(target, host);
	const { time, manifestDigest } = await findPoint(repository, reference);
	const name = options.name ?? defaultName(reference.machine);
	return {
		name,
		machine: reference.machine,
		restorePoint: time,
		manifestDigest,
		repository,
		host: host.name,
		hostId: host.hostId,
		machineName: options.machineName ?? name,
		allocate: options.allocate,
		networks,
		newMac: options.newMac ?? false,
		platformOptions: options.platform ?? {},
		powerOn: options.power === 'on',
		policy: { finish: options.finish, switch: options.switch, maxRateBytes: options.maxRate ?? 0 },
		reason: options.reason ?? '',
		requestedBy,
	};
}

/** The same each time, so that the same command twice is one recovery. */
export function defaultName(machine: string): string {
	return `${machine.slice(0, 37)}-r1`;
}

/** `--network SRC=NAME`, given as often as needed. */
export function parseNetwork(text: string, before: Record<string, string> = {}): Record<string, string> {
	const at = text.lastIndexOf('=');
	const target = networkTargetSchema.safeParse(text.slice(at + 1));
	if (at < 1 || !target.success)
		throw new InvalidArgumentError(
			`"${text}": write SRC=NAME or SRC=none, SRC being the network the original was on, NAME one of the host.`,
		);
	return { ...before, [text.slice(0, at)]: target.data };
}

/** `--platform KEY=VALUE`, given as often as needed: what looks like a number, `true` or `false` is one. */
export function parsePlatformOption(text: string, before: PlatformData = {}): PlatformData {
	const at = text.indexOf('=');
	if (at < 1 || at > 40)
		throw new InvalidArgumentError(`"${text}": write KEY=VALUE, with a key of 1 to 40 characters.`);
	return { ...before, [text.slice(0, at)]: valueOf(text.slice(at + 1)) };
}

function valueOf(text: string): string | number | boolean {
	if (text === 'true' || text === 'false') return text === 'true';
	return /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(text) ? Number(text) : text;
}

async function findPoint(
	directory: string,
	{ machine, point }: PointReference,
): Promise<{ time: string; manifestDigest: string }> {
	const repository = await openRepository(directory);
	try {
		const time = await resolvePoint(repository, machine, point);
		return { time, manifestDigest: (await readPoint(repository, machine, time)).manifestDigest };
	} finally {
		await repository.store.close();
	}
}
