/**
 * What is made in a QEMU says by its name whose it is. Names of bitmaps may have 1023 bytes (BME_MAX_NAME_SIZE of block/qcow2-bitmap.c)
 * and say everything. Those of block nodes may have 31 and few characters (id_wellformed of util/id.c): they, jobs and exports
 * have a digest of tag and owner.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { type Claim, ownerSchema } from '../machine/documents.ts';

export type Owned = Pick<Claim, 'tag' | 'owner'>;

/**
 * `new`: records what is written from its moment on, and is the checkpoint. `copy`: what an older one had recorded until then, to be
 * read with the moment.
 */
const rolesOfBitmaps = ['new', 'copy'] as const;

export interface BitmapMark extends Owned {
	/** Random, of one begin. */
	set: string;
	role: (typeof rolesOfBitmaps)[number];
	/** Of the disk: after disks have changed places a bitmap is found for none of them but its own. */
	key: string;
}

const markSchema = z.tuple([
	z.literal('rouse'),
	z.uuid(),
	ownerSchema,
	z.uuid(),
	z.enum(rolesOfBitmaps),
	z.string().min(1),
]);

export function bitmapName({ tag, owner, set, role, key }: BitmapMark): string {
	return ['rouse', tag, owner.replaceAll('/', '~'), set, role, key].join('@');
}

/** Undefined for one that is not ours. */
export function parseBitmapName(name: string): BitmapMark | undefined {
	const parts = name.split('@');
	const named = [...parts.slice(0, 5).map(part => part.replaceAll('~', '/')), parts.slice(5).join('@')];
	const parsed = markSchema.safeParse(named);
	if (!parsed.success) return undefined;
	const [, tag, owner, set, role, key] = parsed.data;
	return { tag, owner, set, role, key };
}

export function carries(mark: Owned, { tag, owner }: Owned): boolean {
	return mark.tag === tag && mark.owner === owner;
}

/** Of everything of one import but its bitmaps: 22 characters. */
export function objectName({ tag, owner }: Owned): string {
	return `rouse-${createHash('sha256').update(`${tag}\n${owner}`).digest('hex').slice(0, 16)}`;
}

/** Of a disk's scratch node, its job and its export, by the disk's number in the moment. */
export function diskName(owned: Owned, number: number): string {
	return `${objectName(owned)}-${number}`;
}

export function isOf(owned: Owned, name: string): boolean {
	return name.startsWith(`${objectName(owned)}-`);
}
