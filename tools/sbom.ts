/**
 * `node tools/sbom.ts > rouse.cdx.json`: what Rouse is made of, as CycloneDX 1.5 (ECMA-424). npm tells it of
 * package-lock.json, with digests; added is what is fetched or built beside that: Node, Temporal and its Go modules.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { temporalDownloads } from '../cli/setup/temporal-download.ts';
import { temporalRelease } from '../keeper/temporal-cli.ts';
import { RouseError } from '../model/errors.ts';
import { checkoutDirectory } from '../system/checkout.ts';
import { runTool } from '../system/run-tool.ts';

const documentSchema = z.looseObject({
	bomFormat: z.literal('CycloneDX'),
	specVersion: z.literal('1.5'),
	metadata: z.looseObject({ component: z.looseObject({ name: z.string() }) }),
	components: z.array(z.looseObject({ 'bom-ref': z.string(), purl: z.string(), version: z.string() })),
});
export type Sbom = z.infer<typeof documentSchema>;

interface Download {
	url: string;
	sha256: string;
}

/** The whole document, of the checkout as it is. */
export async function makeSbom(): Promise<Sbom> {
	const said = await runTool('npm', ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'], {
		cwd: checkoutDirectory,
		hint: 'install npm 10 or newer',
	});
	if (said.code !== 0) throw new RouseError('tool_failed', `npm sbom: ${said.tail.join('\n')}`);
	const document = documentSchema.parse(JSON.parse(said.stdout));
	document.metadata.component.name = 'rouse'; // npm takes that of the directory
	const launcher = await readFile(join(checkoutDirectory, 'rouse'), 'utf8');
	const modules = await readFile(join(checkoutDirectory, 'tools', 'temporal', 'go.mod'), 'utf8');
	return { ...document, components: [...document.components, nodeOf(launcher), temporal(), ...goModulesOf(modules)] };
}

/** As the launcher fetches it. */
function nodeOf(launcher: string) {
	const version = /^node_version=(\S+)$/m.exec(launcher)?.[1] ?? '';
	const pins = launcher.matchAll(/^\tarchive-(\S+)\) echo ([0-9a-f]{64}) ;;$/gm);
	const downloads = [...pins].map(([, platform = '', sha256 = '']) => ({
		url: `https://nodejs.org/dist/v${version}/node-v${version}-${platform}.tar.gz`,
		sha256,
	}));
	return application('node', version, `pkg:generic/node@${version}`, downloads);
}

function temporal() {
	const { cli, server } = temporalRelease;
	const made = application('temporal', cli, `pkg:github/temporalio/cli@v${cli}`, temporalDownloads());
	return { ...made, description: `with server ${server}` };
}

function application(name: string, version: string, purl: string, downloads: readonly Download[]) {
	const externalReferences = downloads.map(({ url, sha256 }) => ({
		type: 'distribution',
		url,
		hashes: [{ alg: 'SHA-256', content: sha256 }],
	}));
	return { 'bom-ref': purl, type: 'application', name, version, purl, externalReferences };
}

/** What a Temporal that is built here is built of; go.sum has the digests in Go's own way. */
function goModulesOf(text: string) {
	const replaced = new Map(
		[...text.matchAll(/^replace (\S+) => (\S+) (v\S+)$/gm)].map(([, name, by, version]) => [name, [by, version]]),
	);
	const required = text.matchAll(/^(?:require |\t)(\S+) (v\S+)(?: \/\/ indirect)?$/gm);
	return [...required].map(([, wanted = '', asked = '']) => {
		const [name = wanted, version = asked] = replaced.get(wanted) ?? [];
		const purl = `pkg:golang/${name}@${version}`;
		return { 'bom-ref': purl, type: 'library', name, version, purl };
	});
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await makeSbom(), undefined, '\t')}\n`);
