import { asRouseError } from '../../model/errors.ts';
import type { HostReport, HostResources } from '../contract.ts';
import type { AnswerOf } from './driver/requests.ts';
import { presentationProblem } from './iscsi/presentation-problem.ts';
import type { HostSettings } from './parts.ts';

/** Of a session that is begun for it, in which PowerShell loads its modules. */
const answerMs = 20_000;

type Unusable = HostReport['unusable'];

/** See `Platform.report`. */
export async function reportOf(settings: HostSettings): Promise<HostReport> {
	const { driver, datastore } = settings;
	try {
		const options = { timeoutMs: answerMs };
		const [hello, report] = await Promise.all([
			driver.ask('hello', {}, options),
			driver.ask('report', { datastore }, options),
		]);
		return {
			...ofHost(hello, report),
			unusable: rightsMissing(hello) ?? initiatorMissing(report) ?? (await presentationProblem()),
		};
	} catch (error) {
		return { ...nothing, unusable: silent(asRouseError(error).message) };
	}
}

/** See `Platform.resources`. Those of the Windows host: the machine on it on which we run has none to give. */
export async function resourcesOf({ driver, datastore }: HostSettings): Promise<HostResources> {
	const report = await driver.ask('report', { datastore }, { timeoutMs: answerMs });
	return { memory: memoryIn(report), cpus: report.processors };
}

function memoryIn({ memoryTotalMiB, memoryFreeMiB }: AnswerOf<'report'>): HostReport['memory'] {
	return { totalMiB: memoryTotalMiB, freeMiB: memoryFreeMiB };
}

function ofHost(hello: AnswerOf<'hello'>, report: AnswerOf<'report'>): Omit<HostReport, 'unusable'> {
	return {
		...nothing,
		version: `${report.hyperV} on Windows ${hello.windows} (${hello.computerName})`,
		networks: report.switches.map(({ name, type }) => ({ name, description: `virtual switch, ${type.toLowerCase()}` })),
		networksMissing: report.switches.length === 0 ? 'the host has no virtual switch' : undefined,
		freeBytes: report.freeBytes,
		memory: memoryIn(report),
		warnings: [],
	};
}

const nothing: Omit<HostReport, 'unusable'> = {
	name: 'hyper-v',
	version: undefined,
	accelerator: 'hyper-v',
	firmwares: ['bios', 'efi'],
	networks: [],
	freeBytes: 0,
	memory: { totalMiB: 0, freeMiB: 0 },
	warnings: [],
};

function silent(why: string): Unusable {
	return {
		code: 'precheck_failed',
		message: `the Windows host does not answer: ${why}`,
		hint: 'look whether its OpenSSH server runs and takes the key of this host',
	};
}

function rightsMissing({ elevated, computerName }: AnswerOf<'hello'>): Unusable {
	if (elevated) return undefined;
	return {
		code: 'precheck_failed',
		message: `on ${computerName} the driver does not act as an administrator with all powers`,
		hint: 'log in as a member of Administrators; its key lies in administrators_authorized_keys',
	};
}

function initiatorMissing({ initiatorName }: AnswerOf<'report'>): Unusable {
	if (initiatorName !== null) return undefined;
	return {
		code: 'precheck_failed',
		message: 'the host has no iSCSI initiator, over which it reads the disks',
		hint: 'on the host: Set-Service MSiSCSI -StartupType Automatic; Start-Service MSiSCSI',
	};
}
