/** One line of a mover's log: a JSON document a line, on standard output, which the supervisor leads to a file. */
export function logLine(event: string, fields: Record<string, unknown> = {}): void {
	process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), event, ...fields })}\n`);
}
