import * as z from 'zod';

/**
 * Users that machines run as where Rouse is root. The default is of no other's: systemd, "Users, Groups, UIDs and GIDs on
 * systemd Systems" (https://systemd.io/UIDS-GIDS/), has 1879048192 to 2147483647 unused. `none`: all run as root.
 */
export const userRangeSchema = z.union([
	z.literal('none'),
	z
		.strictObject({ first: z.int().min(1000).max(2_147_000_000), count: z.int().min(1).max(10_000_000) })
		.refine(({ first, count }) => first + count <= 2_147_483_647, 'ends behind 2147483647'),
]);
export type UserRange = z.infer<typeof userRangeSchema>;
export const defaultUserRange: UserRange = { first: 1_880_000_000, count: 1_000_000 };
