import { RouseError } from '../../../model/errors.ts';
import { isSafeUrl } from './safe-url.ts';

/** Where the two APIs are: with their version, and a slash at the end. */
export interface Endpoints {
	storage: URL;
	compute: URL;
}

/** As gcloud has them: its properties `api_endpoint_overrides`, for networks from which Google is reached by other names. */
const overrides = {
	storage: ['CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE', 'https://storage.googleapis.com/storage/v1/'],
	compute: ['CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE', 'https://compute.googleapis.com/compute/v1/'],
} as const;

/** Throws `config_invalid` for one to which no token may be sent. */
export function endpointsOf(env: NodeJS.ProcessEnv): Endpoints {
	const of = ([name, usual]: (typeof overrides)[keyof typeof overrides]): URL => {
		const text = env[name] || usual;
		if (!isSafeUrl(text)) throw new RouseError('config_invalid', `${name} is no address that begins with https://`);
		return new URL(text.endsWith('/') ? text : `${text}/`);
	};
	return { storage: of(overrides.storage), compute: of(overrides.compute) };
}
