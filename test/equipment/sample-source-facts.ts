import type { SourceFacts } from '../../model/source-facts.ts';

/** Of a machine of one disk from some platform. */
export const sampleSourceFacts: SourceFacts = {
	kind: 'simulated',
	uri: 'simulated:///somewhere',
	identity: 'machine-1',
	ids: { region: 'eu-1' },
	consistency: 'crash',
	together: true,
	takenAt: '2026-11-20T03:00:00.000Z',
	disks: [{ key: 'disk-0', sizeBytes: 512, consistency: 'crash', reads: 'all', why: 'it is new' }],
	leftOut: [{ what: 'cdrom', why: 'it is read-only' }],
	unknown: ['cpus'],
	checkpoint: { set: 'x' },
};
