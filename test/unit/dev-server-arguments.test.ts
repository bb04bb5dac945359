import assert from 'node:assert/strict';
import { test } from 'node:test';
import { devServerArguments } from '../../workers/temporal-server.ts';

test('`devServerArguments` switch off each thing that the server could do by itself', () => {
	const given = devServerArguments({ port: 7233, uiPort: 8233 });
	const settings = given.flatMap((word, at) => (given[at - 1] === '--dynamic-config-value' ? [word] : []));
	for (const setting of [
		'workercontroller.enabled=false', // it starts programs
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
	])
		assert.ok(settings.includes(setting), setting);
});
