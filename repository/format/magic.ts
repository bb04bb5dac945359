/**
 * A magic number is the first 8 bytes of the SHA-256 of its sentence: nobody else's by accident, and the sentence says
 * what it is and of which version. Do not change one; a new version gets a new sentence.
 */
export const magic = {
	chunk: { sentence: 'rouse chunk v1', bytes: Buffer.from('14ae81c723c1fb3b', 'hex') },
	page: { sentence: 'rouse page v1', bytes: Buffer.from('72e3f1e731cca401', 'hex') },
	pageContent: { sentence: 'rouse page content v1', bytes: Buffer.from('88202d7611513509', 'hex') },
	diskContent: { sentence: 'rouse disk content v1', bytes: Buffer.from('b61dafa404a6e592', 'hex') },
	packFooter: { sentence: 'rouse pack footer v1', bytes: Buffer.from('fd81702015b72453', 'hex') },
	packTrailer: { sentence: 'rouse pack trailer v1', bytes: Buffer.from('98d7b4325df4fdf9', 'hex') },
	index: { sentence: 'rouse index v1', bytes: Buffer.from('0b4d1d75dd9c7b30', 'hex') },
	journal: { sentence: 'rouse journal v1', bytes: Buffer.from('5c7fca88bf9775c6', 'hex') },
} as const;

export const magicBytes = 8;
