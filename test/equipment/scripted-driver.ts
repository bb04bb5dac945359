import { RouseError } from '../../model/errors.ts';
import type { Driver } from '../../hypervisors/hyperv/driver/driver.ts';
import { type AnswerOf, type OperationName, operations } from '../../hypervisors/hyperv/driver/requests.ts';

type Answers = { [Name in OperationName]: () => AnswerOf<Name> };

/** A driver that gives the answers it was told, and none to what it was not. */
export function scriptedDriver(answers: Partial<Answers>): Driver {
	return {
		ask: async (name, request) => {
			operations[name].request.parse(request);
			const answer: Partial<Answers>[typeof name] = answers[name];
			if (answer === undefined) throw new RouseError('internal', `nobody told the driver what ${name} answers`);
			return answer();
		},
	};
}
