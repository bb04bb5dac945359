/**
 * For every program of LVM, also those that only tell. It would write copies of its metadata into /etc, with each change and before, and also
 * when it finds them old: on a volume as a rule, so that no two snapshots would be of one moment, and hundreds of files would be left in a month. And
 * it would start a daemon that watches snapshots.
 */
export const quietLvm = "--config 'backup { backup=0 archive=0 } activation { monitoring=0 }'";
