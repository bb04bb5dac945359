import * as z from 'zod';
import { CloudError, type CloudFault } from '../cloud.ts';

/** What the SDK throws, as far as it is looked at: never its message, which tells who asked, for what and where. */
const thrownSchema = z.object({
	/** AWS's code, or the SDK's own word. */
	name: z.string().optional(),
	/** Of the EBS direct APIs. */
	Reason: z.string().optional(),
	/** Of Node. */
	code: z.string().optional(),
	$metadata: z.object({ httpStatusCode: z.number().optional() }).optional(),
});
type Thrown = z.infer<typeof thrownSchema>;

/** EC2: "Error codes for the Amazon EC2 API"; EBS: the errors of its actions, and "Common errors". */
const byName: Readonly<Record<string, CloudFault>> = {
	UnauthorizedOperation: 'denied',
	AccessDenied: 'denied',
	AccessDeniedException: 'denied',
	AuthFailure: 'unknown-caller',
	Blocked: 'unknown-caller',
	CredentialsProviderError: 'unknown-caller',
	ExpiredToken: 'unknown-caller',
	ExpiredTokenException: 'unknown-caller',
	IncompleteSignature: 'unknown-caller',
	InvalidClientTokenId: 'unknown-caller',
	InvalidSignatureException: 'unknown-caller',
	MissingAuthenticationToken: 'unknown-caller',
	MissingAuthenticationTokenException: 'unknown-caller',
	OptInRequired: 'unknown-caller',
	RequestExpired: 'unknown-caller',
	SignatureDoesNotMatch: 'unknown-caller',
	TokenProviderError: 'unknown-caller',
	UnrecognizedClientException: 'unknown-caller',
	'InvalidInstanceID.Malformed': 'missing',
	'InvalidInstanceID.NotFound': 'missing',
	InvalidInstanceType: 'missing',
	'InvalidSnapshot.NotFound': 'missing',
	'InvalidVolume.NotFound': 'missing',
	ResourceNotFoundException: 'missing',
	'InvalidSnapshot.InUse': 'in-use',
	ConcurrentSnapshotLimitExceeded: 'too-many',
	PendingSnapshotLimitExceeded: 'too-many',
	ResourceLimitExceeded: 'too-many',
	ServiceQuotaExceededException: 'too-many',
	SnapshotCreationPerVolumeRateExceeded: 'too-many',
	SnapshotLimitExceeded: 'too-many',
	ConcurrentLimitExceededException: 'throttled',
	EC2ThrottledException: 'throttled',
	RequestLimitExceeded: 'throttled',
	RequestThrottled: 'throttled',
	RequestThrottledException: 'throttled',
	SlowDown: 'throttled',
	Throttling: 'throttled',
	ThrottlingException: 'throttled',
	TooManyRequestsException: 'throttled',
	TimeoutError: 'unreachable',
	AbortError: 'unreachable',
	InternalServerException: 'unreachable',
};

/** Where the reason says more than the name: of a key that may not be used it is the only word. */
const byReason: Readonly<Record<string, CloudFault>> = {
	DEPENDENCY_ACCESS_DENIED: 'key-denied',
	DEPENDENCY_RESOURCE_NOT_FOUND: 'key-denied',
	GRANT_NOT_FOUND: 'key-denied',
	INVALID_CUSTOMER_KEY: 'key-denied',
	INVALID_BLOCK_TOKEN: 'token',
	INVALID_PAGE_TOKEN: 'token',
	UNRELATED_SNAPSHOTS: 'unrelated',
};

/** What a call came to. `call`: the permission that it needs. */
export function faultOf(thrown: unknown, call: string): CloudError {
	if (thrown instanceof CloudError) return thrown;
	const parsed = thrownSchema.safeParse(thrown);
	const said: Thrown = parsed.success ? parsed.data : {};
	return new CloudError(kindOf(said), call, wordOf(said));
}

function kindOf({ name = '', Reason = '', code, $metadata }: Thrown): CloudFault {
	const known = byReason[Reason] ?? byName[name];
	if (known !== undefined) return known;
	const status = $metadata?.httpStatusCode;
	if (status !== undefined && status < 500) return status === 429 ? 'throttled' : 'refused';
	// Without a status nothing has answered: Node's own errors have a code.
	return status !== undefined || code !== undefined ? 'unreachable' : 'refused';
}

/** A name is a word, and nothing else: what is none may hold anything. */
function wordOf({ name, Reason, code, $metadata }: Thrown): string {
	const words = [name === 'Error' ? code : name, Reason].filter(word =>
		/^[A-Za-z][A-Za-z0-9._]{0,79}$/.test(word ?? ''),
	);
	if (words.length > 0) return words.join(', ');
	return $metadata?.httpStatusCode === undefined ? 'no word for it' : `status ${$metadata.httpStatusCode}`;
}
