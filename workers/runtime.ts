import { type LogMetadata, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import pino from 'pino';

/** One log for the SDK, its native core and ourselves: JSON lines on standard error. */
export function installRuntime(level = process.env['ROUSE_LOG'] ?? 'info'): pino.Logger {
	const log = pino({ level }, pino.destination({ fd: 2, sync: true }));
	// pino takes what is said about a message before the message.
	const say =
		(write: (meta: object, message: string) => void) =>
		(message: string, meta?: LogMetadata): void =>
			write(meta ?? {}, message);
	const trace = say((meta, message) => log.trace(meta, message));
	const debug = say((meta, message) => log.debug(meta, message));
	const info = say((meta, message) => log.info(meta, message));
	const warn = say((meta, message) => log.warn(meta, message));
	const error = say((meta, message) => log.error(meta, message));
	Runtime.install({
		logger: {
			trace,
			debug,
			info,
			warn,
			error,
			log: (as, message, meta) =>
				({ TRACE: trace, DEBUG: debug, INFO: info, WARN: warn, ERROR: error })[as](message, meta),
		},
		telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) } },
		// The SDK's own handling: the workers drain and `run()` returns. A handler of ours must not end the process.
		shutdownSignals: ['SIGINT', 'SIGTERM', 'SIGQUIT'],
	});
	return log;
}
