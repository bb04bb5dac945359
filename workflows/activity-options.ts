/**
 * Every timeout and retry of an activity, with its reason. Two rules hold for all: a failure that trying again cannot mend
 * arrives as non-retryable (activities/failures.ts), so retries need no limit and no list; and every attempt heartbeats
 * once a second, so that a killed worker is noticed after `heartbeatTimeout` and not after `startToCloseTimeout`.
 */
import { ActivityCancellationType, type ActivityOptions } from '@temporalio/workflow';

/**
 * Cancellation does not wait for an attempt on a host: it may hang with that host, and what it still does there is fenced
 * by its generation, behind which the supervisor puts whatever comes next.
 */
const fenced = ActivityCancellationType.TRY_CANCEL;

/** Reads a manifest from a repository; half a minute is a slow network file system. */
export const planOptions = {
	taskQueue: 'control',
	startToCloseTimeout: '30s',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/**
 * Nothing waits for a repository that cannot be written: after the third attempt the recovery goes on unpinned, or its
 * unpin is owed. Cancelling waits, so that the unpin of what was cancelled as a rule comes after its pin.
 */
export const pinOptions = {
	...planOptions,
	retry: { ...planOptions.retry, maximumAttempts: 3 },
	cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} satisfies ActivityOptions;

/**
 * Asking a full host again costs no history. The interval stops growing early, for a place that comes free should not
 * stand empty.
 */
export const reserveOptions = {
	startToCloseTimeout: '30s',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '5s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Another host of the pool may have room: a full host, and one whose worker or supervisor is away, are told at once. */
export const reserveInPoolOptions = {
	...reserveOptions,
	scheduleToStartTimeout: '30s',
	scheduleToCloseTimeout: '45s',
	retry: { ...reserveOptions.retry, nonRetryableErrorTypes: ['host_busy'] },
} satisfies ActivityOptions;

/** A person waits for the answer, and repeats the question: a worker that is missing is told as that. */
export const askOptions = {
	scheduleToStartTimeout: '10s',
	startToCloseTimeout: '50s',
	heartbeatTimeout: '10s',
	retry: { maximumAttempts: 1 },
	cancellationType: fenced,
} satisfies ActivityOptions;

/**
 * Some minutes, and some twenty more for the long one. Cancelling waits: what it has made on the host is removed first. Not
 * tried again: whoever watches it decides that, and the next one removes what this one left.
 */
export const selftestOptions = {
	scheduleToStartTimeout: '10s',
	startToCloseTimeout: '2h',
	heartbeatTimeout: '15s',
	retry: { maximumAttempts: 1 },
	cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} satisfies ActivityOptions;

/** A question that changes nothing; a platform may have to find out first what its host can do. */
export const questionOptions = {
	startToCloseTimeout: '1m',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '250ms', backoffCoefficient: 2, maximumInterval: '10s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Steps to power-on: seconds as a rule; allocating terabytes may take minutes where the file system writes zeros. */
export const stepOptions = {
	startToCloseTimeout: '1h',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '250ms', backoffCoefficient: 2, maximumInterval: '10s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/**
 * On a host of a pool that may be left: longer than a worker takes to be started again, and than its slots are taken as a
 * rule. What it has begun there lasts as long as it likes.
 */
const leavable = { scheduleToStartTimeout: '1m' } satisfies ActivityOptions;

export const leavableStepOptions = { ...stepOptions, ...leavable } satisfies ActivityOptions;

export const leavableQuestionOptions = { ...questionOptions, ...leavable } satisfies ActivityOptions;

/** A slice ends by itself after ten minutes; what it would lose is nothing, since the restored map is the truth. */
export const sliceOptions = {
	startToCloseTimeout: '15m',
	heartbeatTimeout: '15s',
	retry: { initialInterval: '250ms', backoffCoefficient: 2, maximumInterval: '10s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/**
 * A parked recovery keeps its stream until its host has said this, for days if that is away or has no room to record it. A mover
 * that has to end what it is writing, on a slow disk, answers later than it is asked, and is asked again.
 */
export const pauseOptions = {
	startToCloseTimeout: '1m',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** A machine is given a day at most to become ready; each recovery's own limit stands above this (stubs.ts). */
export const readinessOptions = {
	startToCloseTimeout: '25h',
	heartbeatTimeout: '15s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Committing an overlay that a guest has filled for days, or removing it, may take hours on a slow disk. */
export const endingOptions = {
	startToCloseTimeout: '12h',
	heartbeatTimeout: '15s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** A person waits for the answer: one that is late is told as that, and goes on by {@link lateOptions}. */
export const orderOptions = {
	scheduleToCloseTimeout: '20s',
	startToCloseTimeout: '15s',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '4s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** An order of which its giver was told that it is not carried out yet: until it is, or another takes it back. */
export const lateOptions = {
	startToCloseTimeout: '15s',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Whoever waits for the machine to be ready waits for this as well: what is lost with it is speed at the next recovery. */
export const keepOptions = {
	scheduleToCloseTimeout: '30s',
	startToCloseTimeout: '15s',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '4s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Whether anybody is there: a worker that lives takes it at once, and one that has died or hangs is not there. */
export const answerOptions = {
	scheduleToStartTimeout: '10s',
	startToCloseTimeout: '5s',
	heartbeatTimeout: '4s',
	retry: { maximumAttempts: 1 },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Describes all open recoveries and imports, some hundred a second. A broker grants nothing before, so it is tried until it is done. */
export const heldLeasesOptions = {
	taskQueue: 'control',
	startToCloseTimeout: '2m',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Asked anew in the broker's next sweep, a minute later; its run does not end before there is an answer. */
export const livenessOptions = {
	taskQueue: 'control',
	scheduleToCloseTimeout: '45s',
	startToCloseTimeout: '40s',
	heartbeatTimeout: '10s',
	retry: { maximumAttempts: 1 },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Nobody else tells it: tried until it is done. */
export const deliverOptions = {
	taskQueue: 'control',
	startToCloseTimeout: '2m',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/**
 * What a batch asks of Temporal about many recoveries, or tells them: seconds as a rule. One that gets no answer is asked
 * again by the batch, whose run does not end before there is one.
 */
export const itemsOptions = {
	taskQueue: 'control',
	scheduleToCloseTimeout: '10m',
	startToCloseTimeout: '3m',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '20s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Of a drill: how a recovery stands in Temporal, and where. No machine fails since nobody could look: the drill has a limit. */
export const factsOptions = {
	taskQueue: 'control',
	startToCloseTimeout: '30s',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Looks into a repository for some hundred points, and asks hosts. A file that is wrong by now fails at once. */
export const planDrillOptions = {
	...factsOptions,
	scheduleToCloseTimeout: '1h',
	startToCloseTimeout: '5m',
} satisfies ActivityOptions;

/**
 * A test may take an hour; its own limit stands above this (drill/stubs.ts). One whose worker died is run once more, which a
 * test has to bear.
 */
export const testOptions = {
	startToCloseTimeout: '65m',
	heartbeatTimeout: '15s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** A picture of its console, and counters: nothing waits for what does not come. */
export const lookOptions = {
	scheduleToCloseTimeout: '1m',
	startToCloseTimeout: '30s',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Writes some megabytes to the disk of a control worker. A drill does not end without its report: a full disk is waited for. */
export const reportOptions = {
	taskQueue: 'control',
	startToCloseTimeout: '2m',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** On a host that was left: whenever it is back. */
export const owedUndoOptions = {
	startToCloseTimeout: '1h',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '1m' },
	cancellationType: fenced,
} satisfies ActivityOptions;

/** Nothing that a guest wrote hangs on an undo, so it is given up after a day and reported as left behind. */
export const undoOptions = {
	scheduleToCloseTimeout: '24h',
	startToCloseTimeout: '1h',
	heartbeatTimeout: '10s',
	retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '1m' },
	cancellationType: fenced,
} satisfies ActivityOptions;

export const leavableUndoOptions = { ...undoOptions, ...leavable } satisfies ActivityOptions;

/** Asks a platform that may be slow, or tells to ask less often. Whoever waits for it may cancel. */
const platformRetry = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '2m' } as const;

/**
 * A step of an import waits until its process has ended when it is cancelled: what one that is under way makes on a platform
 * would come behind that it was given up.
 */
const importStep = {
	taskQueue: 'control',
	startToCloseTimeout: '30m',
	heartbeatTimeout: '15s',
	retry: platformRetry,
	cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} satisfies ActivityOptions;

/** Describes a machine, and reads the facts of some points. What does not answer for a day is told. */
export const planImportOptions = { ...importStep, scheduleToCloseTimeout: '24h' } satisfies ActivityOptions;

/** Nothing waits for what earlier imports have left: the next one looks again. */
export const sweepImportsOptions = {
	...importStep,
	scheduleToCloseTimeout: '1h',
	retry: { ...platformRetry, maximumAttempts: 3 },
} satisfies ActivityOptions;

export const beginImportOptions = { ...importStep, scheduleToCloseTimeout: '24h' } satisfies ActivityOptions;

/**
 * A cloud copies a whole disk before it can be read: hours for terabytes. An attempt looks for some seconds, and is followed by the next;
 * that costs no history. What is not at hand within a week never will be.
 */
export const momentOptions = { ...importStep, scheduleToCloseTimeout: '7d' } satisfies ActivityOptions;

/**
 * Terabytes over a thin line take weeks. What is away comes back: it is waited for as long as the platform keeps the moment, and
 * as attempts come further now and then (activities/import/copy-attempts.ts).
 */
export const copyImportOptions = {
	...importStep,
	taskQueue: 'control-copy',
	startToCloseTimeout: '60d',
	retry: { ...platformRetry, maximumInterval: '5m' },
} satisfies ActivityOptions;

/** It came no further in its last turn: its next attempts come when they would have come in that one. */
export const copyAgainOptions = {
	...copyImportOptions,
	retry: { ...copyImportOptions.retry, initialInterval: '5m' },
} satisfies ActivityOptions;

/** The point is there, and the next import makes up for it. */
export const commitImportOptions = { ...importStep, scheduleToCloseTimeout: '1h' } satisfies ActivityOptions;

/** Given up after a day and told as left over: the next import sweeps it. */
export const giveUpImportOptions = { ...importStep, scheduleToCloseTimeout: '24h' } satisfies ActivityOptions;
