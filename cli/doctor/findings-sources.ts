/** Findings about the platforms from which machines are backed up. */
import type { Facts, SourceFacts } from './facts.ts';
import type { Finding } from './finding.ts';

export function sourceFindings({ sources }: Pick<Facts, 'sources'>): Finding[] {
	return sources.flatMap(source => [...notKnown(source), ...leftOver(source)]);
}

function notKnown({ name, problem }: SourceFacts): Finding[] {
	if (problem === undefined) return [];
	return [
		{
			code: 'source_silent',
			subject: name,
			explanation: `what is left on the platform of ${name} is not known: ${problem}`,
			command: `rouse backup plan ${name}`,
		},
	];
}

/** The next import takes away what the ones before have left. */
function leftOver({ name, leftovers }: SourceFacts): Finding[] {
	return leftovers.map(({ what, tag, since, costText, canDelete }) => {
		const begun = since === null ? '' : ` since ${since}`;
		const cost = costText === null ? '' : `; ${costText}`;
		return {
			code: 'import_left_over',
			subject: name,
			explanation: `${what} of import ${tag} ${begun === '' ? 'are' : 'have been'} on the platform of ${name}${begun}, and no import needs them${cost}`,
			command: canDelete ? `rouse backup start ${name}` : 'remove them with the tools of the platform',
		};
	});
}
