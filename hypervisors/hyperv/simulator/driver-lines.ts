import * as z from 'zod';
import { type OperationName, operations } from '../driver/requests.ts';
import { type DriverAnswer, envelopeSchema } from '../driver/wire.ts';
import { SessionDropped } from './faults.ts';
import type { AnswerLine } from './json-lines.ts';
import type { WindowsHost } from './windows-host.ts';

/** The driver's side of wire.ts. */
export function answerDriver(host: WindowsHost): AnswerLine {
	return async (document): Promise<DriverAnswer | undefined> => {
		const { id, op, ...request } = envelopeSchema.parse(document);
		if (!isOperation(op)) return refusal(id, `there is no operation ${op}`);
		try {
			return { id, ...(await host.answer(op, request)) };
		} catch (error) {
			if (error instanceof SessionDropped) return undefined;
			if (error instanceof z.ZodError) return refusal(id, `${op}: ${z.prettifyError(error)}`);
			throw error;
		}
	};
}

function isOperation(op: string): op is OperationName {
	return Object.hasOwn(operations, op);
}

function refusal(id: number, message: string): DriverAnswer {
	return { id, ok: false, error: { code: 'failed', message, hresult: null, cmdlet: null } };
}
