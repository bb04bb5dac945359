import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { makeAreaHeader, parseArea, piecesOf } from '../../inspection/lvm/metadata-area.ts';
import { parseLvmText } from '../../inspection/lvm/text.ts';
import { type Group, groupOf } from '../../sources/ssh/lvm/group.ts';
import { PretendedMachine } from '../equipment/pretended-lvm/machine.ts';

const invalid = { code: 'source_invalid' };

interface Written {
	type?: string;
	stripes?: number;
	start?: number;
	at?: number;
	extents?: number;
	members?: number;
	name?: string;
}

/** A group of one volume on one disk of 100 extents. */
function group({
	type = 'striped',
	stripes = 1,
	start = 0,
	at = 0,
	extents = 10,
	members = 1,
	name = 'root',
}: Written = {}) {
	const disks = Array.from(
		{ length: members },
		(_, index) => `pv${index} {\nid = "abc-def"\npe_start = 2048\npe_count = 100\n}`,
	);
	return groupOf(
		parseLvmText(`vg {
id = "x-y"
seqno = 3
extent_size = 8192
physical_volumes {
${disks.join('\n')}
}
logical_volumes {
${name} {
id = "l-v"
segment_count = 1
segment1 {
start_extent = ${start}
extent_count = ${extents}
type = "${type}"
stripe_count = ${stripes}
stripes = ["pv0", ${at}]
}
}
}
}
version = 1
`),
	);
}

suite('metadata of LVM for a machine that is read over SSH', () => {
	test('a group of linear volumes is told with all its pieces', () => {
		const expected: Group = {
			name: 'vg',
			id: 'x-y',
			seqno: 3,
			extentBytes: 4 * 2 ** 20,
			members: [{ id: 'abcdef', startBytes: 2 ** 20, extents: 100 }],
			volumes: [
				{ name: 'root', extents: 10, segments: [{ fromExtent: 0, extents: 10, memberId: 'abcdef', memberExtent: 7 }] },
			],
		};
		assert.deepEqual(group({ at: 7 }), expected);
	});

	test('kinds of volumes of which no disk can be composed are refused, by their names', () => {
		for (const type of ['thin-pool', 'raid1', 'snapshot', 'cache'])
			assert.throws(() => group({ type }), { ...invalid, message: new RegExp(`vg/root is of the kind "${type}"`) });
		assert.throws(() => group({ stripes: 2 }), invalid);
	});

	test('what is no map of a disk is refused: gaps, places outside, two disks of one id, names that are none', () => {
		assert.throws(() => group({ start: 1 }), invalid);
		assert.throws(() => group({ at: 91 }), invalid);
		assert.throws(() => group({ extents: 0 }), invalid);
		assert.throws(() => group({ members: 2 }), invalid);
		assert.throws(() => group({ name: '-rf' }), invalid);
		assert.throws(() => groupOf(parseLvmText('version = 1\n')), invalid);
	});

	test('two volumes in one place are refused', () => {
		const volume = (name: string, at: number) =>
			`${name} {\nsegment_count = 1\nsegment1 {\nstart_extent = 0\nextent_count = 4\ntype = "striped"\nstripe_count = 1\nstripes = ["pv0", ${at}]\n}\n}\n`;
		const text = (at: number) =>
			`vg {\nid = "v"\nseqno = 1\nextent_size = 8\nphysical_volumes {\npv0 {\nid = "p"\npe_start = 8\npe_count = 9\n}\n}\nlogical_volumes {\n${volume('one', 0)}${volume('two', at)}}\n}\n`;
		assert.equal(groupOf(parseLvmText(text(4))).volumes.length, 2);
		assert.throws(() => groupOf(parseLvmText(text(3))), invalid);
	});

	test('a header that is made anew is what LVM has written', () => {
		const { vda } = new PretendedMachine();
		const header = vda.subarray(4096, 4608);
		assert.deepEqual(makeAreaHeader(parseArea(header, 4096)), header);
	});

	test('a text that goes around the end of its ring has two pieces', () => {
		const area = { atBytes: 4096, sizeBytes: 2048, text: { fromBytes: 1800, lengthBytes: 400, checksum: 1, flags: 0 } };
		assert.deepEqual(piecesOf(area), [
			{ atBytes: 4096 + 1800, lengthBytes: 248 },
			{ atBytes: 4096 + 512, lengthBytes: 152 },
		]);
		for (const [fromBytes, lengthBytes] of [
			[0, 10],
			[2048, 10],
			[512, 1537],
		] as const) {
			const made = makeAreaHeader({ ...area, text: { ...area.text, fromBytes, lengthBytes } });
			assert.throws(() => parseArea(made, 4096), invalid);
		}
	});
});
