/** What the disks of a machine tell of how its system boots. Facts only: what they mean is for the platform to say. */
import * as z from 'zod';

/** A module of Linux by its name, with `_` for every `-`. */
const moduleNameSchema = z.string().regex(/^[a-z0-9_]{1,32}$/);

export const moduleFactsSchema = z.strictObject({
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
