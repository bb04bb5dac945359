import type { ChunkRef, DiskImage } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { isDamage } from '../damage.ts';
import { digestBytes } from '../format/digest.ts';
import { diskContentDigest, pageContent, zeroContent } from '../format/content-digest.ts';
import { keys } from '../format/keys.ts';
import { Page } from '../format/page.ts';
import { pageEntries, pageMapOf, type PageMap, pageRawBytes } from '../format/page-map.ts';
import { readPoints } from '../read-points.ts';
import { Findings } from './findings.ts';
import type { FooterPlaces } from './footer-places.ts';
import type { Verification } from './verification.ts';

/** What lies under a page. */
interface Under {
	/** Undefined when a page under it cannot be read. */
	content: Buffer | undefined;
	/** Chunks that are lost, as far as that is known. */
	lost: number;
	firstLost: string | undefined;
	/** Pages that cannot be read, by the error of the first. */
	damage: RouseError | undefined;
}

/** Pages remembered, some 80 MB: those that points share are looked at once, for 32 TiB of disks. */
const maxKnown = 262_144;

const nothing: Under = { content: zeroContent, lost: 0, firstLost: undefined, damage: undefined };

/** Looks at manifests and page maps: every page is read, of every chunk it is asked whether a footer has it. */
export class PointsWalk {
	readonly #work: Verification;
	readonly #places: FooterPlaces;
	readonly #known = new Map<string, Under>();
	points = 0;
	/** By the last walk: what lies under it may be found when it is looked for elsewhere. */
	anyPageLost = false;

	constructor(work: Verification, places: FooterPlaces) {
		this.#work = work;
		this.#places = places;
	}

	/** What there is to tell. Before the suspects are settled nothing counts as lost, and they are what this finds. */
	async walk(): Promise<Findings> {
		const { repository, signal } = this.#work;
		const findings = new Findings();
		this.#known.clear();
		this.points = 0;
		this.anyPageLost = false;
		for await (const { machine, time, point, error } of readPoints(repository, undefined, signal)) {
			this.points++;
			const key = keys.point(machine, time);
			if (error)
				findings.error(key, error, 'put this object back from a copy of the repository, or import the machine again');
			for (const [number, image] of point?.manifest.disks.entries() ?? [])
				tellOfDisk(findings, { key, title: `${machine}@${time}`, disk: number, image }, await this.#disk(image));
		}
		return findings;
	}

	async #disk(image: DiskImage): Promise<Under> {
		const map = pageMapOf(image);
		return image.root === undefined ? nothing : this.#page(map, map.levels.length - 1, 0, image.root);
	}

	async #page(map: PageMap, level: number, number: number, ref: ChunkRef): Promise<Under> {
		const name = `${level} ${ref.digest}`;
		const known = this.#known.get(name);
		if (known !== undefined) return known;
		let under: Under;
		try {
			const page = new Page(await this.#work.pages.read(this.#work, ref, pageRawBytes(map, level, number)));
			under = level === 0 ? await this.#leaf(page) : await this.#inner(map, level, number, page);
		} catch (error) {
			if (!isDamage(error)) throw error;
			under = { ...nothing, content: undefined, damage: error };
			this.anyPageLost = true;
		}
		if (this.#known.size < maxKnown) this.#known.set(name, under);
		return under;
	}

	async #inner(map: PageMap, level: number, number: number, page: Page): Promise<Under> {
		const under: Under[] = [];
		for (let entry = 0; entry < page.entries; entry++) {
			const ref = page.entry(entry);
			under.push(ref === 'zero' ? nothing : await this.#page(map, level - 1, number * pageEntries + entry, ref));
		}
		return sumOf(under);
	}

	async #leaf(page: Page): Promise<Under> {
		const contents = Buffer.alloc(page.entries * digestBytes);
		let lost = 0;
		let firstLost: string | undefined;
		for (let entry = 0; entry < page.entries; entry++) {
			const ref = page.entry(entry);
			if (ref === 'zero') continue;
			contents.write(ref.digest, entry * digestBytes, digestBytes, 'hex');
			await this.#places.confirm(ref);
			if (!this.#work.suspects.isLost(ref.digest)) continue;
			lost++;
			firstLost ??= ref.digest;
		}
		return { content: pageContent(contents), lost, firstLost, damage: undefined };
	}
}

function sumOf(parts: readonly Under[]): Under {
	const contents = parts.flatMap(({ content }) => content ?? []);
	return {
		content: contents.length === parts.length ? pageContent(Buffer.concat(contents)) : undefined,
		lost: parts.reduce((sum, { lost }) => sum + lost, 0),
		firstLost: parts.find(({ firstLost }) => firstLost !== undefined)?.firstLost,
		damage: parts.find(({ damage }) => damage !== undefined)?.damage,
	};
}

function tellOfDisk(
	findings: Findings,
	{ key, title, disk, image }: { key: string; title: string; disk: number; image: DiskImage },
	{ content, lost, firstLost, damage }: Under,
): void {
	const hint = `rouse backup verify ${title} tells which parts; import the machine again`;
	if (damage !== undefined)
		findings.damage(key, damage.code, `pages of disk${disk} cannot be read: ${damage.message}`, hint);
	if (lost > 0)
		findings.damage(key, 'chunk_missing', `${lost} chunks of disk${disk} are lost, the first ${firstLost}`, hint);
	const found = content && diskContentDigest(image, content);
	if (found !== undefined && found !== image.contentDigest)
		findings.damage(
			key,
			'format_damaged',
			`the content of disk${disk} has the digest ${found}, the manifest names ${image.contentDigest}`,
			hint,
		);
}
