/** The release of the Temporal CLI that is fetched or built, and of the server in it. */
export const temporalRelease = { cli: '1.8.2', server: '1.31.2' } as const;
