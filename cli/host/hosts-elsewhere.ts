/** Hosts of other machines, asked by way of Temporal whether they are there. */
import type { HostElsewhere } from '../../client/host-elsewhere.ts';
import { asRouseError, type ErrorDocument, RouseError } from '../../model/errors.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import { type Config, type Installation, loadConfig } from '../../system/installation.ts';

/** Of `host list --json`; docs/cli.md lists the fields. */
export interface HostElsewhereAnswer {
	name: string;
	hostId: string;
	/** Null: Temporal does not answer, by which it would be asked. */
	answers: boolean | null;
	host: Pick<HostView, 'hypervisor' | 'accelerator' | 'freeBytes'> | null;
	problem: ErrorDocument | null;
}

/** Of a host that is there and busy, with a control worker beside it; more would hold up a list that is asked for often. */
const answerWithinMs = 5_000;

/** As config.yaml names them; where that is not accepted it is told, and what the supervisor knows is shown all the same. */
export async function hostsElsewhere(
	installation: Installation,
	{ signal, warn }: { signal: AbortSignal; warn: (message: string) => void },
): Promise<HostElsewhereAnswer[]> {
	const config = await loadConfig(installation).catch((thrown: unknown) => {
		const { code, message } = asRouseError(thrown);
		if (code !== 'config_invalid') throw thrown;
		warn(message);
		return undefined;
	});
	if (config === undefined) return [];
	const hosts = Object.entries(config.hosts).map(([name, { id }]) => ({ name, hostId: id }));
	if (hosts.length === 0) return [];
	const unknown = (thrown: unknown) => {
		signal.throwIfAborted();
		return hosts.map(host => ({ ...host, answers: null, host: null, problem: asRouseError(thrown).toDocument() }));
	};
	return await whileConnected(installation, config, hosts, signal).catch(unknown);
}

async function whileConnected(
	installation: Installation,
	config: Config,
	hosts: readonly { name: string; hostId: string }[],
	signal: AbortSignal,
): Promise<HostElsewhereAnswer[]> {
	// Loaded here and not before: it takes half a second, which most lists do without.
	const [{ connectTemporal }, elsewhere] = await Promise.all([
		import('../../client/connection.ts'),
		import('../../client/host-elsewhere.ts'),
	]);
	const temporal = await connectTemporal(installation, config);
	try {
		return await Promise.all(hosts.map(host => answerOf(host, new elsewhere.HostElsewhere(temporal, host), signal)));
	} finally {
		await temporal.close();
	}
}

/** Throws `temporal_unreachable`, which is the matter of none of them. */
async function answerOf(
	known: { name: string; hostId: string },
	asked: Pick<HostElsewhere, 'host'>,
	signal: AbortSignal,
): Promise<HostElsewhereAnswer> {
	const late = AbortSignal.timeout(answerWithinMs);
	try {
		const { hypervisor, accelerator, freeBytes } = await asked.host({ signal: AbortSignal.any([signal, late]) });
		return { ...known, answers: true, host: { hypervisor, accelerator, freeBytes }, problem: null };
	} catch (thrown) {
		signal.throwIfAborted();
		const error = late.aborted
			? new RouseError('worker_missing', `no answer within ${answerWithinMs / 1000} s`)
			: asRouseError(thrown);
		if (error.code === 'temporal_unreachable') throw error;
		return { ...known, answers: false, host: null, problem: error.toDocument() };
	}
}

export function hostElsewhereText({ name, answers, host, problem }: HostElsewhereAnswer): string {
	if (host !== null)
		return `${name}: ${host.hypervisor} (${host.accelerator}), ${formatBytes(host.freeBytes)} free, on another machine`;
	return `${name}: on another machine, ${answers === null ? 'not asked' : 'does not answer'}: ${problem?.message ?? ''}`;
}
