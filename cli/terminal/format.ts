import { terminalLine } from '../../system/terminal-text.ts';

/** Milliseconds for people: `38 ms`, `6.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
	if (ms < 1000) return `${Math.round(ms)} ms`;
	if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
	const seconds = Math.round(ms / 1000);
	if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
	return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** Columns padded to their widest cell; the last is left as it is. Nothing in a cell begins a new line. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
	const all = [header, ...rows].map(row => row.map(cell => terminalLine(cell.replace(/[\n\t]/g, ' '))));
	const widths = header.map((_, column) => Math.max(...all.map(row => (row[column] ?? '').length)));
	return all
		.map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
		.map(line => line.trimEnd())
		.join('\n');
}
