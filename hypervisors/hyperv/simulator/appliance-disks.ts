/** The appliance's side of its SCSI drives: what its kernel shows of a file that is attached. */
export interface ApplianceDisks {
	/** The drive appears. It is open for writing until `detach`. */
	attach(disk: ApplianceDisk): Promise<void>;
	/** Whether the appliance's kernel has let the disk go: `1` was written to its `delete`. */
	isLetGo(disk: ApplianceDisk): Promise<boolean>;
	/** The drive is gone, what was written to it durable. */
	detach(disk: ApplianceDisk): Promise<void>;
	/** The appliance lost its power, and runs again, without any of these drives. */
	reboot(): Promise<void>;
	/** Orderly, as `detach` of each. */
	close(): Promise<void>;
}

export interface ApplianceDisk {
	/** Of the file, where the simulator keeps it. */
	path: string;
	virtualDiskId: string;
	sizeBytes: number;
	controller: number;
	location: number;
}

/** An appliance that sees no disks. */
export const blindAppliance: ApplianceDisks = {
	attach: async () => undefined,
	isLetGo: async () => true,
	detach: async () => undefined,
	reboot: async () => undefined,
	close: async () => undefined,
};
