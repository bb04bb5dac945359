/** Everything that an embedded Temporal server is told, and what a namespace must have before the first recovery. */
import { type Connection, isGrpcServiceError } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { waitFor } from '../system/wait.ts';
import { searchAttributes } from '../workflows/contracts.ts';

export interface DevServerOptions {
	port: number;
	/** Absent: without web interface. */
	uiPort?: number | undefined;
	namespace?: string | undefined;
}

/** The server knows neither users nor encryption: whoever reaches this may do all (keeper/door/). */
export const devServerAddress = '127.0.0.1';

/**
 * `temporal server start-dev …`. All of it counts at every start: neither dynamic configuration nor pragmas are kept in
 * the database file. It is started in `places.temporal(home)`: the SQLite file is named from there, for its driver takes a
 * path as an address, in which `#`, `?` and `%` mean something else.
 */
export function devServerArguments({ port, uiPort, namespace }: DevServerOptions): string[] {
	return [
		'server',
		'start-dev',
		'--db-filename',
		'temporal.db',
		'--ip',
		devServerAddress,
		'--port',
		String(port),
		...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort), '--ui-disable-news-fetch']),
		...(namespace === undefined || namespace === 'default' ? [] : ['--namespace', namespace]),
		...pragmas.flatMap(pragma => ['--sqlite-pragma', pragma]),
		...[...dynamicConfig, ...notWanted].flatMap(value => ['--dynamic-config-value', value]),
		...Object.values(searchAttributes).flatMap(({ name }) => ['--search-attribute', `${name}=Keyword`]),
		// Without it the server writes a line for every poll that ends, some megabytes a day.
		'--log-level',
		'warn',
		'--log-format',
		'json',
	];
}

/**
 * `synchronous=2` (FULL): a workflow that was started is still there after a power loss. WAL makes that cheap: some
 * 20 ms an activity less than the default journal.
 */
const pragmas = ['journal_mode=wal', 'synchronous=2'];

const dynamicConfig = [
	// A dev server has one history shard, which takes its transfer tasks 20 times a second unless told otherwise:
	// each activity of a sequence would take 105 ms.
	'history.transferProcessorMaxPollRPS=2000',
	// An activity for the workflow's own worker comes back with the workflow task, without a dispatch.
	'system.enableActivityEagerExecution=true',
	// A task of the server that finds a workflow's lock taken – for a signal, that of who sends it or of who gets it – is tried
	// again ever more rarely, after ten times: of a workflow that many signal, as they do the broker, some come a minute late.
	// With this such tasks wait in a line for each workflow, and are tried again as soon as it is their turn.
	'history.taskSchedulerEnableExecutionQueueScheduler=true',
];

/**
 * What the server can do by itself and no recovery has a use for, read in the settings of server 1.31.2
 * (common/dynamicconfig/constants.go, chasm/lib/activity/config.go, auto-scaled-workers wci/client/config.go). The first two
 * start programs on the machine. Archival is off in a dev server; Nexus and callbacks need an address that is allowed, and
 * none is.
 */
const notWanted = [
	'workercontroller.enabled=false',
	'workercontroller.compute_providers.enabled=[]',
	'workercontroller.scaling_algorithms.enabled=[]',
	'system.enableDeployments=false',
	'system.enableDeploymentVersions=false',
	'frontend.workerVersioningDataAPIs=false',
	'frontend.workerVersioningWorkflowAPIs=false',
	'activity.enableStandalone=false',
	'frontend.enableBatcher=false',
	'worker.enableNamespaceBatcher=false',
	'component.callbacks.allowedAddresses=[]',
	'chasm.callback.allowedAddresses=[]',
	// It would ask its makers for newer ones.
	'frontend.enableServerVersionCheck=false',
];

/** By default ten look-ups a second; the development server has this by itself. */
const lookUps = 'frontend.namespaceRPS.visibility=100';

/** The same settings, for a server that reads them from a file: keys and values. */
export function databaseSettings(): [key: string, value: unknown][] {
	return [...dynamicConfig, ...notWanted, lookUps].map(setting => {
		const at = setting.indexOf('=');
		return [setting.slice(0, at), JSON.parse(setting.slice(at + 1))];
	});
}

/** Recoveries stay readable for a quarter of a year: the story is asked for long after the machine runs. */
const retentionSeconds = 90 * 24 * 60 * 60;

/** IndexedValueType KEYWORD: temporal/api/enums/v1/common.proto. */
const keyword = 2;

/**
 * Retention and search attributes of the namespace; may be done at every start, and by several at once. `make`: also the
 * namespace itself, which the development server makes by itself.
 */
export async function prepareNamespace(
	connection: Pick<Connection, 'workflowService' | 'operatorService'>,
	namespace: string,
	{ make = false } = {},
): Promise<void> {
	if (make) await makeNamespace(connection, namespace);
	const { config } = await connection.workflowService.describeNamespace({ namespace });
	const retention = config?.workflowExecutionRetentionTtl?.seconds;
	if (Number(retention ?? 0) < retentionSeconds)
		await connection.workflowService.updateNamespace({
			namespace,
			config: { workflowExecutionRetentionTtl: msToTs(retentionSeconds * 1000) },
		});
	const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
	const missing = Object.values(searchAttributes).filter(({ name }) => !Object.hasOwn(customAttributes ?? {}, name));
	if (missing.length > 0)
		await connection.operatorService.addSearchAttributes({
			namespace,
			searchAttributes: Object.fromEntries(missing.map(({ name }) => [name, keyword])),
		});
	await waitFor('Temporal to know the search attributes', () => knowsAttributes(connection, namespace), {
		timeoutMs: attributesMs,
		everyMs: 200,
	});
}

/**
 * With SQL the server looks them up in a copy of the namespace that it renews every ten seconds
 * (`system.namespaceCacheRefreshInterval`); until then a workflow that is started with one is refused.
 */
async function knowsAttributes(
	{ workflowService }: Pick<Connection, 'workflowService'>,
	namespace: string,
): Promise<boolean> {
	const query = Object.values(searchAttributes)
		.map(({ name }) => `${name} = 'none'`)
		.join(' AND ');
	try {
		await workflowService.countWorkflowExecutions({ namespace, query });
		return true;
	} catch (error) {
		if (isGrpcServiceError(error) && String(error.code) === invalidArgument) return false;
		throw error;
	}
}

async function makeNamespace(
	{ workflowService }: Pick<Connection, 'workflowService'>,
	namespace: string,
): Promise<void> {
	try {
		await workflowService.registerNamespace({
			namespace,
			workflowExecutionRetentionPeriod: msToTs(retentionSeconds * 1000),
		});
	} catch (error) {
		if (!isGrpcServiceError(error) || String(error.code) !== alreadyExists) throw error;
	}
}

/** Whatever the server is busy with, it has renewed its copy of the namespace by then. */
const attributesMs = 60_000;

/** INVALID_ARGUMENT, as below. */
const invalidArgument = '3';

/** ALREADY_EXISTS: https://grpc.io/docs/guides/status-codes/ */
const alreadyExists = '6';
