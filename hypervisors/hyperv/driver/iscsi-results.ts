import type { Meaning } from './meaning.ts';

/** Those that a login, a logout or a look can give. */
export const iscsiMeanings: readonly Meaning[] = [
	{
		names: {
			'0xEFFF0003': 'ISDSC_CONNECTION_FAILED',
			'0xEFFF0012': 'ISDSC_TARGET_ERROR',
			'0xEFFF0013': 'ISDSC_SERVICE_UNAVAILABLE',
			'0xEFFF0023': 'ISDSC_SEND_FAILED',
			'0xEFFF0024': 'ISDSC_TRANSPORT_ERROR',
			'0xEFFF0060': 'ISDSC_NO_CONNECTION_AVAILABLE',
		},
		code: 'hypervisor_failed',
		hint: 'the host does not reach the appliance: look whether it runs, at the internal switch between them, and at the firewall of the appliance',
	},
	{
		names: {
			'0xEFFF0002': 'ISDSC_LOGIN_FAILED',
			'0xEFFF0009': 'ISDSC_AUTHENTICATION_FAILURE',
			'0xEFFF000A': 'ISDSC_AUTHORIZATION_FAILURE',
			'0xEFFF0022': 'ISDSC_LOGON_FAILED',
			'0xEFFF0028': 'ISDSC_TARGET_AUTHINFO_UNAVAILABLE',
		},
		code: 'hypervisor_failed',
		hint: 'what answers at this portal does not take our secret: it is another target, or one that was made anew; it is asked again',
	},
	{
		names: {
			'0xEFFF000B': 'ISDSC_NOT_FOUND',
			'0xEFFF000C': 'ISDSC_TARGET_REMOVED',
			'0xEFFF0029': 'ISDSC_TARGET_NOT_FOUND',
			'0xEFFF0043': 'ISDSC_PORTAL_NOT_FOUND',
			'0xEFFF005D': 'ISDSC_DEVICE_NOT_FOUND',
		},
		code: 'hypervisor_failed',
		hint: 'the target is not served: look at the appliance',
	},
	{
		names: {
			'0xEFFF0016': 'ISDSC_SESSION_ALREADY_EXISTS',
			'0xEFFF001F': 'ISDSC_SESSION_BUSY',
			'0xEFFF003F': 'ISDSC_TARGET_ALREADY_LOGGED_IN',
			'0xEFFF0062': 'ISDSC_REMOVE_CONNECTION_IN_PROGRESS',
		},
		code: 'hypervisor_failed',
		hint: 'another session with this target comes or goes; it is asked again',
	},
	{
		names: { '0xEFFF0040': 'ISDSC_DEVICE_BUSY_ON_SESSION' },
		code: 'hypervisor_failed',
		hint: 'something on that host still uses the volume: a machine that is not off, or a program that has its files open',
	},
	{
		names: {
			'0xEFFF0048': 'ISDSC_SHORT_CHAP_SECRET',
			'0xEFFF004A': 'ISDSC_INVALID_CHAP_SECRET',
			'0xEFFF004D': 'ISDSC_INVALID_CHAP_USER_NAME',
			'0xEFFF0051': 'ISDSC_INVALID_ISCSI_NAME',
		},
		code: 'machine_failed',
		hint: 'this Windows does not take the name or the secret of the target: compare it with the versions in docs/hyperv.md',
	},
	{
		names: { '0xEFFF0065': 'ISDSC_RESTRICTED_BY_GROUP_POLICY' },
		code: 'machine_failed',
		hint: 'a group policy of that host forbids it: Computer Configuration, Administrative Templates, System, iSCSI',
	},
	{
		names: { '0xEFFF003E': 'ISDSC_SERVICE_NOT_RUNNING', '0xEFFF0039': 'ISDSC_SERVICE_DID_NOT_RESPOND' },
		code: 'hypervisor_failed',
		hint: 'look at the initiator of that host: Get-Service MSiSCSI',
	},
];
