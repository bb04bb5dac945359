import { missingWarnings } from '../../model/missing-warnings.ts';
import { type ErrorDocument, exitCodeOf } from '../../model/errors.ts';
import type { MachineConfig, SourceDisk } from '../../model/machine.ts';
import { bootLines } from './boot-lines.ts';
import { codeOfAll } from '../../repository/damage.ts';
import { type RestorePoint, resolvePoint } from '../../repository/points.ts';
import { type PointFound, readPoints } from '../../repository/read-points.ts';
import type { Repository } from '../../repository/repository.ts';
import { repositoryOption } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { formatTable } from '../terminal/format.ts';
import { terminalLine } from '../../system/terminal-text.ts';
import { parseName, parsePoint } from '../terminal/parse.ts';
import { findPoint, titleOf, withRepository } from './restore-point.ts';
import { briefSource, briefSourceText, sourceLines, wholeSource } from './source-lines.ts';

export const buildList = (context: Context) =>
	command('list')
		.description('restore points, oldest first')
		.argument('[machine]', 'only those of this machine', parseName)
		.option(...repositoryOption)
		.action(async (machine, options) => {
			const found = await withRepository(context, options.repo, repository =>
				findPoints(repository, machine, context.signal),
			);
			const damaged = found.flatMap(damageDocuments);
			for (const { message, hint } of damaged) context.output.warn(hint ? `${message}; ${hint}` : message);
			const points = found.flatMap(({ point }) => point ?? []);
			for (const point of points) warnOfMissing(context, point);
			context.output.result(
				{ restorePoints: points.map(pointDocument), damaged },
				listText(found, context.output.columns),
			);
			// What was asked for is the list, and that is what there is; nothing at all is no list.
			if (damaged.length > 0 && points.length === 0)
				context.exitWith(exitCodeOf(codeOfAll(damaged.map(({ code }) => code))));
		});

export const buildShow = (context: Context) =>
	command('show')
		.description('one restore point: the machine and its disks')
		.argument('<name@point>', 'as web01@latest or web01@2026-11-20T03:00Z', parsePoint)
		.option(...repositoryOption)
		.action(async (reference, options) => {
			const point = await withRepository(context, options.repo, repository =>
				findPoint(repository, reference, context.signal),
			);
			warnOfMissing(context, point);
			const { manifest } = point;
			const document = { ...pointDocument(point), ...wholeSource(manifest), config: manifest.config };
			context.output.result(document, showText(point));
		});

async function findPoints(
	repository: Repository,
	machine: string | undefined,
	signal: AbortSignal,
): Promise<PointFound[]> {
	if (machine !== undefined) await resolvePoint(repository, machine, 'latest', signal); // for its error when there is none
	const found: PointFound[] = [];
	for await (const one of readPoints(repository, machine, signal)) found.push(one);
	return found;
}

function damageDocuments({
	machine,
	time,
	error,
}: PointFound): (ErrorDocument & { machine: string; restorePoint: string })[] {
	if (error === undefined) return [];
	const message = `${machine}@${time} cannot be read: ${error.message}`;
	return [{ machine, restorePoint: time, ...error.toDocument(), message }];
}

function warnOfMissing({ output }: Context, point: RestorePoint): void {
	for (const warning of missingWarnings(point.manifest.disks)) output.warn(`${titleOf(point)}: ${warning}`);
}

function pointDocument({ manifest, manifestDigest }: RestorePoint) {
	const { machine, time, disks } = manifest;
	return {
		machine,
		restorePoint: time,
		manifestDigest,
		...briefSource(manifest),
		disks: disks.map(({ sizeBytes, dataBytes, contentDigest, missing }) => ({
			sizeBytes,
			dataBytes,
			contentDigest,
			...(missing ? { missing } : {}),
		})),
	};
}

function listText(found: readonly PointFound[], columns: number | undefined): string {
	if (found.length === 0) return 'no restore points; make one: rouse backup import SOURCE --machine NAME';
	return formatTable(
		['RESTORE POINT', 'DISKS', 'SIZE', 'DATA', 'FIRMWARE', 'FROM'],
		found.map(({ machine, time, point }) => {
			const title = `${machine}@${time}`;
			if (point === undefined) return [title, 'damaged', '', '', '', ''];
			const { disks, config } = point.manifest;
			const sum = (of: 'sizeBytes' | 'dataBytes') => formatBytes(disks.reduce((total, disk) => total + disk[of], 0));
			const from = briefSourceText(point.manifest);
			return [title, String(disks.length), sum('sizeBytes'), sum('dataBytes'), config.firmware, from];
		}),
		columns,
	);
}

function firmwareText({ firmware, secureBoot, vtpm }: MachineConfig): string {
	const known = [
		secureBoot === null ? [] : `secure boot ${onOff(secureBoot)}`,
		vtpm === null ? [] : `TPM ${onOff(vtpm)}`,
	];
	return [firmware, ...known.flat()].join(', ');
}

function onOff(on: boolean): string {
	return on ? 'on' : 'off';
}

/** What is not as on every disk. */
function deviceText(disk: SourceDisk | undefined): string[] {
	if (disk === undefined) return [];
	const { logicalSectorBytes, physicalSectorBytes, serial } = disk;
	const sectors = physicalSectorBytes === 512 ? [] : [`sectors of ${logicalSectorBytes}/${physicalSectorBytes} bytes`];
	return [...sectors, ...(serial === null ? [] : [`serial ${serial}`])];
}

function showText(point: RestorePoint): string {
	const { disks, config } = point.manifest;
	return [
		titleOf(point),
		`Machine   ${config.cpus} CPUs, ${config.memoryMiB} MiB, ${firmwareText(config)}, ${config.os}, clock in ${config.clock}`,
		...disks.map(({ sizeBytes, dataBytes, missing }, index) => {
			const size = `${formatBytes(sizeBytes)}, ${formatBytes(dataBytes)} of it not zero`;
			const part = missing ? [`${formatBytes(missing.lengthBytes)} missing from offset ${missing.atBytes} on`] : [];
			return `disk${index}     ${[size, ...part, ...deviceText(config.disks[index])].join(', ')}`;
		}),
		...config.nics.map(({ mac, network }, index) => `nic${index}      ${mac} on ${network}`),
		`Drivers   ${config.drivers.map(({ name, learntFrom }) => `${name} (${learntFrom})`).join(', ') || 'none are known'}`,
		...bootLines(config.boot ?? null),
		`Origin    ${config.origin.kind}: ${config.origin.detail}`,
		...sourceLines(point.manifest),
		`Manifest  ${point.manifestDigest}`,
	]
		.map(terminalLine) // names in it are of whoever has written the manifest
		.join('\n');
}
