import { terminalLine } from '../../system/terminal-text.ts';

/** Milliseconds for people: `38 ms`, `6.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
	if (ms < 1000) return `${Math.round(ms)} ms`;
	if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
	const seconds = Math.round(ms / 1000);
	if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
	return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/**
 * Columns padded to their widest cell; the last is left as it is. Nothing in a cell begins a new line. Where it would be
 * wider than `columns`, the longest cells lose their middle.
 */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[], columns?: number): string {
	const whole = [header, ...rows].map(row => row.map(cell => terminalLine(cell.replace(/[\n\t]/g, ' '))));
	const widths = header.map((_, column) => Math.max(...whole.map(row => (row[column] ?? '').length)));
	if (columns !== undefined) narrow(widths, columns);
	const all = whole.map(row => row.map((cell, column) => cutMiddle(cell, widths[column] ?? cell.length)));
	return all
		.map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
		.map(line => line.trimEnd())
		.join('\n');
}

const gap = 2;
/** Shorter than this nobody knows what it was. */
const leastWidth = 16;

/** Takes from the widest column until all fit, or none can be narrower. */
function narrow(widths: number[], columns: number): void {
	for (;;) {
		const over = widths.reduce((sum, width) => sum + width, 0) + gap * (widths.length - 1) - columns;
		const widest = Math.max(...widths);
		if (over <= 0 || widest <= leastWidth) return;
		widths[widths.indexOf(widest)] = widest - 1;
	}
}

/** `/srv/machi…/web01-r1`: names and paths differ at their ends. */
function cutMiddle(text: string, width: number): string {
	if (text.length <= width) return text;
	const kept = width - 1;
	return `${text.slice(0, Math.ceil(kept / 2))}…${text.slice(text.length - Math.floor(kept / 2))}`;
}
