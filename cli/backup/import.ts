import { Option } from '@commander-js/extra-typings';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import { type ImageFormat, imageFormats } from '../../sources/image-format.ts';
import { repositoryOption } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { parseTime } from '../terminal/parse-time.ts';

export const buildImport = (context: Context) =>
	command('import')
		.description('store a machine as a new restore point')
		.argument(
			'<source...>',
			'its disks in their order: raw file, block device, image, archive of a disk (a file, or gs://), or NBD URI; or one OVA or OVF',
		)
		.option('--machine <name>', 'the machine they belong to (default: the name that an OVA or OVF has)', parseName)
		.option('--spec <file>', 'its configuration as YAML (docs/cli.md)')
		.option('--configuration <uri>', 'the instance whose configuration it has, as gce://PROJECT/ZONE/INSTANCE')
		.option('--credential <name>', 'what lets in at gs:// and gce://, one of config.yaml', parseName)
		.option(
			'--spool <directory>',
			'keep what is fetched from gs:// there until it is imported, so that nothing is fetched twice',
		)
		.option('--at <time>', 'when the disks were like this, as 2026-11-20T03:00:00Z (default: now)', parseTime)
		.option('--future', 'the time of --at may be still to come')
		.addOption(formatOption())
		.option('--with-backing', 'also read the files that the images refer to: backing files, parents, data files')
		.option('--partial', 'of an image that is cut take the part that is there; what is missing becomes zeros')
		.option(...repositoryOption)
		.addHelpText(
			'after',
			'\nExamples: rouse backup import web01.qcow2 --machine web01\n          rouse backup import web01.ova',
		)
		.action(async (sources, options) => {
			void proveZstdHandles(); // it takes as long as the rest takes to load
			const { runImport } = await import('./run-import.ts');
			await runImport(context, sources, options);
		});

function formatOption() {
	const names = Object.keys(imageFormats) as ImageFormat[]; // Object.keys forgets what the keys are
	return new Option('--format <format>', 'format of the images (default: detected)').choices(names);
}
