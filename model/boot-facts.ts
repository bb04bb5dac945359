/** What the disks of a machine tell of how its system boots. Facts only: what they mean is for the platform to say. */
import * as z from 'zod';

/** A module of Linux by its name, with `_` for every `-`. */
const moduleNameSchema = z.string().regex(/^[a-z0-9_]{1,32}$/);

const moduleFactsSchema = z.strictObject({
	/**
	 * Whether the kernel has it before the disk with the root file system is found: built in, from its initramfs, there but
	 * forbidden by what is beside it (`blocked`), or not. Null is "not known".
	 */
	early: z.enum(['kernel', 'initramfs', 'blocked', 'no']).nullable(),
	/** Whether it is among the modules of the installed system, or built in. */
	installed: z.boolean().nullable(),
});
export type ModuleFacts = z.infer<typeof moduleFactsSchema>;

export const kernelFactsSchema = z.strictObject({
	/** As its file is named: `6.1.0-18-amd64`. */
	version: z.string().regex(/^[\w.+~-]{1,80}$/),
	/** Of the modules that were looked for; the same for all kernels. */
	modules: z.record(moduleNameSchema, moduleFactsSchema).refine(modules => Object.keys(modules).length <= 32),
});
export type KernelFacts = z.infer<typeof kernelFactsSchema>;

const windowsFactsSchema = z.strictObject({
	/**
	 * By the name of its service, when a driver is started: 0 by the boot loader, 1 with the kernel, 2 and 3 later, 4 never. Null
	 * when there is no such driver. Of those that were looked for.
	 */
	starts: z
		.record(z.string().regex(/^[a-z0-9]{1,32}$/), z.int().min(0).max(4).nullable())
		.refine(starts => Object.keys(starts).length <= 32),
});
export type WindowsFacts = z.infer<typeof windowsFactsSchema>;

/** A disk by a name that another platform gives to another one, or to none. */
export const deviceNameSchema = z.strictObject({
	/** The file that says so. */
	file: z.string().regex(/^\/[\w.+~/-]{1,160}$/),
	device: z.string().regex(/^\/dev\/[\w.:+-][\w.:+/-]{0,120}$/),
});
export type DeviceName = z.infer<typeof deviceNameSchema>;

export const bootFactsSchema = z.strictObject({
	/** Of Linux, the newest first, and not all. */
	kernels: z.array(kernelFactsSchema).max(3),
	/** Null when no Windows was found. */
	windows: windowsFactsSchema.nullable(),
	deviceNames: z.array(deviceNameSchema).max(16),
	/** What was not looked at and why, one line each. */
	notLookedAt: z
		.array(
			z
				.string()
				.min(1)
				.max(200)
				.regex(/^\P{C}*$/u),
		)
		.max(16),
});
export type BootFacts = z.infer<typeof bootFactsSchema>;
