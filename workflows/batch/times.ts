/** Of items that are on their way or wait for a person: a recovery that was ended by force tells nobody. */
export const lookEveryMs = 600_000;

/** So long nothing comes into the way of a recovery of which it was looked for what exists. */
export const freeForMs = 60_000;

/** After an activity, or an order, that met nobody. */
export const tryAgainMs = 30_000;
