import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { cacheDirectory } from '../../system/installation.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { type Context, command } from '../terminal/command.ts';

export const build = (context: Context) =>
	command('appliance').description('the helper machine on a Hyper-V host').addCommand(buildImage(context));

const buildImage = (context: Context) =>
	command('build')
		.description('make its disk: Debian with what a host needs, and this Rouse; needs root and Debian mirrors')
		.option('--output <file>', 'the image, which must not be there yet', 'rouse-appliance.vhdx')
		.option('--fresh', 'with the packages that Debian has today, also when an image is in the cache')
		.action(async ({ output, fresh }) => {
			const { buildAppliance, handOut, packageListOf } = await import('../../appliance/build.ts');
			const path = resolve(output);
			const appliance = await buildAppliance({
				cacheDirectory: cacheDirectory(context.env),
				fresh,
				signal: context.signal,
				onLine: line => context.output.message(line),
			});
			await handOut(appliance, path);
			const { size } = await stat(path);
			const { inputs, built } = appliance;
			context.output.result(
				{ path, packages: packageListOf(path), sizeBytes: size, inputs, built },
				`${path}: ${formatBytes(size)}, ${built ? 'made' : 'as made before'} (packages: ${packageListOf(path)})`,
			);
		});
