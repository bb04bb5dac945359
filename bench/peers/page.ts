/** The part of docs/performance.md that `rouse bench --write` writes, of what is kept in `kept/`. */
import * as z from 'zod';
import { type BenchResult, benchMachineSchema, benchResultSchema, benchRowNameSchema } from '../../model/bench.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { costText, reachedText, sideText, spreadText, targetText } from './cells.ts';
import { rows } from './rows.ts';

/** The latest figures of each row and image. */
export const keptFiguresSchema = z.object({
	machine: benchMachineSchema.nullable(),
	results: z.array(benchResultSchema),
});
export type KeptFigures = z.infer<typeof keptFiguresSchema>;

/** Written by hand: what a row cannot be better than, and what keeps it from that. */
export const heldSchema = z.partialRecord(benchRowNameSchema, z.strictObject({ floor: z.string(), held: z.string() }));
export type Held = z.infer<typeof heldSchema>;

export const marks = {
	begin: '<!-- what follows is written by: rouse bench --write -->',
	end: '<!-- as far as here -->',
};

/** The page with its part made anew; undefined when it has no marks. */
export function pageWith(page: string, part: string): string | undefined {
	const begin = page.indexOf(marks.begin);
	const end = page.indexOf(marks.end);
	if (begin < 0 || end < begin) return undefined;
	return `${page.slice(0, begin + marks.begin.length)}\n\n${part}\n${page.slice(end)}`;
}

export function partOf({ machine, results }: KeptFigures, held: Held): string {
	if (machine === null || results.length === 0) return 'Nothing has been measured yet.\n';
	const ordered = rows.flatMap(row =>
		row.images.flatMap(image => results.find(result => result.row === row.name && result.image === image) ?? []),
	);
	const peers = Object.entries(machine.peers).map(([name, version]) => `${name} ${version}`);
	const { processor, cores, memoryBytes, kernel, node } = machine;
	return [
		`${processor}, ${cores} processors, ${formatBytes(memoryBytes)}, Linux ${kernel}, Node ${node}; ${peers.join(', ')}.`,
		'',
		...table(
			['row', 'image', 'ours', 'peer', 'ratio', 'wanted', 'reached', 'processor s', 'peak MiB', 'pairs'],
			ordered.map(cellsOf),
		),
		'',
		...table(['row', 'peer', 'date', 'commit', 'load before, after'], ordered.map(sourceOf)),
		'',
		...heldTable(held),
		'',
	].join('\n');
}

function cellsOf(result: BenchResult): string[] {
	const { row, image, imageBytes, unit, ours, theirs, ratio, targets, pairs } = result;
	const { cpu, memory } = costText(result);
	return [
		`\`${row}\``,
		`${image}, ${formatBytes(imageBytes)}`,
		sideText(ours, unit),
		sideText(theirs, unit),
		ratio === null ? '' : spreadText(ratio),
		image === 'whole' ? '' : targetText(targets) + (targets?.of === 'value' ? ` ${unit}` : ''),
		reachedText(result),
		cpu,
		memory,
		String(pairs),
	];
}

function sourceOf({ row, image, title, peer, measuredAt, commit, load }: BenchResult): string[] {
	return [
		`\`${row}\`, ${image}: ${title}`,
		peer ?? '',
		measuredAt.slice(0, 10),
		commit ?? '',
		load.map(value => value.toFixed(1)).join(', '),
	];
}

function heldTable(held: Held): string[] {
	const lines = rows.flatMap(({ name }) => {
		const of = held[name];
		return of === undefined ? [] : [[`\`${name}\``, of.floor, of.held]];
	});
	return lines.length === 0 ? [] : table(['row', 'its floor', 'what holds the rest'], lines);
}

function table(header: readonly string[], lines: readonly (readonly string[])[]): string[] {
	const line = (cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
	return [line(header), line(header.map(() => '---')), ...lines.map(line)];
}
