// A full disk is what a mover must outlive: without a listener a line that cannot be written would end the process.
process.stdout.on('error', () => {});

/**
 * One line of a mover's log: a JSON document a line, on standard output, which the supervisor leads to a file. A line
 * that cannot be written is lost.
 */
export function logLine(event: string, fields: Record<string, unknown> = {}): void {
	process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), event, ...fields })}\n`);
}
