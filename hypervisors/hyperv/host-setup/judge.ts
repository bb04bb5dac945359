/** Whether a host is as an appliance needs it: from what it answered, and nothing else. */
import { formatBytes } from '../../../model/format-bytes.ts';
import type { AnswerOf } from '../driver/requests.ts';
import type { InternalNetwork, WantedHost } from './record.ts';
import { setupNames } from './names.ts';

export interface FirstFacts {
	hello: AnswerOf<'hello'>;
	cmdlets: AnswerOf<'check-cmdlets'>;
}

/** What can be asked of a host that answered the first right. */
export interface HostFacts {
	report: AnswerOf<'report'>;
	survey: AnswerOf<'survey'>;
}

/** The appliance's own. Each recovery has some processes in it. */
export const applianceMemoryMiB = 4096;
export const applianceProcessors = 2;
/** What its disk may become, with room. */
const applianceDiskBytes = 16 * 2 ** 30;
/** Windows Server 2016 and Windows 10 1607: https://learn.microsoft.com/windows/release-health/ */
const oldestBuild = 14_393;

/** What keeps the rest from being asked at all, each with what to do; none: nothing. */
export function firstProblemsOf(user: string, { hello, cmdlets }: FirstFacts): string[] {
	const problems: string[] = [];
	if (!hello.elevated)
		problems.push(`${user} has not the powers of an administrator there: log in as a member of Administrators`);
	if (!hello.powerShell.startsWith('5.1'))
		problems.push(`PowerShell is ${hello.powerShell}, and 5.1 is needed, which is part of Windows since Server 2016`);
	const build = Number(/^10\.0\.(\d+)/.exec(hello.windows)?.[1] ?? 0);
	if (build < oldestBuild) problems.push(`Windows is ${hello.windows}: Server 2016 or Windows 10 (1607) is the oldest`);
	const missing = cmdlets.missing.map(({ cmdlet, parameter }) => [cmdlet, parameter].filter(Boolean).join(' -'));
	if (missing.length > 0)
		problems.push(
			`there is no ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? `, and ${missing.length - 5} more` : ''}: Install-WindowsFeature Hyper-V -IncludeManagementTools -Restart`,
		);
	return problems;
}

/** What keeps it from being added, each with what to do; none: nothing. */
export function problemsOf(wanted: WantedHost, { report, survey }: HostFacts): string[] {
	const problems: string[] = [];
	const external = survey.switches.find(({ name }) => name === wanted.externalSwitch);
	if (external?.type !== 'External') {
		const known = survey.switches.filter(({ type }) => type === 'External').map(({ name }) => name);
		problems.push(
			`${wanted.externalSwitch} is no external switch there; there is ${known.join(', ') || 'none: New-VMSwitch -Name lan -NetAdapterName …'}`,
		);
	}
	if (!['NTFS', 'ReFS'].includes(survey.fileSystem))
		problems.push(
			`the drive of ${wanted.datastore} has ${survey.fileSystem || 'no file system'}: NTFS or ReFS is needed`,
		);
	if (!survey.services.some(({ name }) => name === 'MSiSCSI'))
		problems.push('the iSCSI initiator (MSiSCSI) is not installed, which is part of Windows');
	if (report.freeBytes < applianceDiskBytes)
		problems.push(
			`${formatBytes(report.freeBytes)} are free on the drive of ${wanted.datastore}, and the appliance may take ${formatBytes(applianceDiskBytes)}`,
		);
	if (report.memoryFreeMiB < applianceMemoryMiB)
		problems.push(`${report.memoryFreeMiB} MiB of memory are free, and the appliance takes ${applianceMemoryMiB}`);
	return [...problems, ...clashes(wanted, survey)];
}

/** With what is there and is not of this set-up. */
function clashes(wanted: WantedHost, survey: HostFacts['survey']): string[] {
	const { machine, directory } = setupNames(wanted);
	const problems: string[] = [];
	if (survey.switches.some(({ name, ours }) => name === machine && !ours))
		problems.push(`there is a virtual switch ${machine} already: remove it, or add the host by another name`);
	if (survey.machines.some(({ name, ours }) => name === machine && !ours))
		problems.push(`there is a machine ${machine} already: remove it, or add the host by another name`);
	// A disk of another appliance would be taken for the one that was sent.
	if (survey.files.length > 0)
		problems.push(
			`there is ${survey.files.map(({ path }) => path).join(', ')}, of an appliance that was there before: remove ${directory} with all that is in it`,
		);
	return problems;
}

/** What somebody should know. */
export function warningsOf({ survey }: HostFacts): string[] {
	const sshd = survey.services.find(({ name }) => name === 'sshd');
	return sshd?.startType === 'Automatic'
		? []
		: ['sshd does not start with Windows: Set-Service sshd -StartupType Automatic, or nothing works after a boot'];
}

/**
 * An internal network of its own, apart from all addresses of the host: a part of 172.31.255.0/24, the last of the networks
 * for private use in 172.16.0.0/12 (RFC 1918, section 3). Undefined when each part is taken.
 */
export function chooseNetwork(addresses: HostFacts['survey']['addresses']): InternalNetwork | undefined {
	for (let block = 0; block < 32; block++) {
		const base = `172.31.255.${block * 8}`;
		if (addresses.some(one => overlaps(base, prefixLength, one.address, one.prefixLength))) continue;
		return {
			hostAddress: `172.31.255.${block * 8 + 1}`,
			applianceAddress: `172.31.255.${block * 8 + 2}`,
			prefixLength,
		};
	}
	return undefined;
}

/** Six addresses for two. */
const prefixLength = 29;

function overlaps(one: string, oneLength: number, other: string, otherLength: number): boolean {
	const size = 2 ** (32 - Math.min(oneLength, otherLength));
	return Math.floor(numberOf(one) / size) === Math.floor(numberOf(other) / size);
}

function numberOf(address: string): number {
	return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Machines that still need the appliance, whichever made them; each with what to do. */
export function machinesInTheWay({ machines }: Pick<HostFacts['survey'], 'machines'>): string[] {
	return machines.flatMap(({ name, recoveryId, finished }) =>
		recoveryId === null || finished ? [] : [`${name} (recovery ${recoveryId})`],
	);
}
