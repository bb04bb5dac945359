/**
 * A magic number is the first 8 bytes of the SHA-256 of its sentence: nobody else's by accident, and the sentence says
 * what it is and of which version. Do not change one; a new version gets a new sentence.
 */
export const magic = {
	packFooter: { sentence: 'rouse pack footer v0', bytes: Buffer.from('cd5862459ebaa6a3', 'hex') },
	packTrailer: { sentence: 'rouse pack trailer v0', bytes: Buffer.from('344252d1233542a5', 'hex') },
	diskContent: { sentence: 'rouse disk content v0', bytes: Buffer.from('67a35f7b102166d0', 'hex') },
} as const;

export const magicBytes = 8;
