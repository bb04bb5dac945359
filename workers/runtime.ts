import { type LogMetadata, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { Log } from '../system/log.ts';
import { recoveryNameOf } from '../workflows/contracts.ts';

/** Gives the SDK, its native core, activities and workflow code this process's log. */
export function installRuntime(log: Log): void {
	// pino takes what is said about a message before the message.
	const at =
		(level: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
		(message: string, meta?: LogMetadata): void =>
			log[level](fieldsOf(meta), message);
	const by = { TRACE: at('trace'), DEBUG: at('debug'), INFO: at('info'), WARN: at('warn'), ERROR: at('error') };
	Runtime.install({
		logger: {
			trace: by.TRACE,
			debug: by.DEBUG,
			info: by.INFO,
			warn: by.WARN,
			error: by.ERROR,
			log: (level, message, meta) => by[level](message, meta),
		},
		telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) } },
		// The SDK's own handling: the workers drain and `run()` returns. A handler of ours must not end the process.
		shutdownSignals: ['SIGINT', 'SIGTERM', 'SIGQUIT'],
	});
}

/** Which recovery and step a line of the SDK is about, under the names that all our logs have for it. */
export function fieldsOf(meta: LogMetadata = {}): Record<string, unknown> {
	// The token lets whoever has it answer in the place of the activity: it is nobody's business.
	const { taskToken: _secret, workflowId, activityType, ...rest } = meta;
	return {
		...(typeof workflowId === 'string' ? { recovery: recoveryNameOf(workflowId), workflowId } : {}),
		...(typeof activityType === 'string' ? { step: activityType } : {}),
		...rest,
	};
}
