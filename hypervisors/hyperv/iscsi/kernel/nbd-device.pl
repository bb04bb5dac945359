#!/usr/bin/perl
# A device of the kernel's NBD client that outlives its server. nbd-client(8) 3.24 can neither say how long requests wait for a
# new connection nor bring one, so this speaks to the kernel itself: include/uapi/linux/nbd-netlink.h and genetlink.h.
#
#   nbd-device.pl keep IDENTITY SOCKET EXPORT   connects, says "device N", and brings a new connection whenever one is lost
#   nbd-device.pl disconnect IDENTITY           what waits for the server ends with an error; may find nothing
#
# One connection: with several, the kernel drops one whose request has taken 30 s, which a read of the repository may.
use strict;
use warnings;
use Socket;

# A day: new requests wait for a connection no longer. The initiator's patience ends long before.
my $dead_seconds = 86_400;
# Requests that were under way when a connection was lost are sent again when their timer, of 30 s else, looks at them.
my $look_again_ms = 1_000;

my %control = (connect => 1, disconnect => 2, reconfigure => 3);
my %attribute = (index => 1, size => 2, block => 3, flags => 5, sockets => 7, dead => 8, identity => 10);
my ($nested, $request, $acknowledge) = (0x8000, 1, 4);

socket(my $netlink, 16, SOCK_RAW, 16) or die "no netlink: $!\n";    # AF_NETLINK, NETLINK_GENERIC
bind($netlink, pack('SSLL', 16, 0, 0, 0)) or die "no netlink: $!\n";
my $sequence = 0;

sub attribute {
	my ($type, $data) = @_;
	my $length = 4 + length $data;
	return pack('SS', $length, $type) . $data . "\0" x (-$length % 4);
}

# What the kernel answers; undef when it refuses, with the reason in $!.
sub ask {
	my ($family, $command, @attributes) = @_;
	my $body = pack('CCS', $command, 1, 0) . join('', @attributes);
	my $header = pack('LSSLL', 16 + length $body, $family, $request | $acknowledge, ++$sequence, 0);
	send($netlink, $header . $body, 0) or die "netlink: $!\n";
	my $answer = '';
	while (defined recv($netlink, my $buffer, 65_536, 0)) {
		while (length $buffer >= 16) {
			my ($length, $type) = unpack('LS', $buffer);
			my $one = substr($buffer, 16, $length - 16);
			my $whole = ($length + 3) & ~3;
			$buffer = length $buffer > $whole ? substr($buffer, $whole) : '';
			if ($type != 2) { $answer .= $one; next }    # NLMSG_ERROR, which is the acknowledgement too
			my $code = unpack('l', $one);
			return $answer if $code == 0;
			$! = -$code;
			return undef;
		}
	}
	die "netlink: $!\n";
}

sub family {
	my $answer = ask(16, 3, attribute(2, "nbd\0")) // die "the kernel has no nbd: $!\n";    # GENL_ID_CTRL, GETFAMILY
	for (my $at = 4; $at < length $answer;) {
		my ($length, $type) = unpack('SS', substr($answer, $at));
		return unpack('S', substr($answer, $at + 4)) if $type == 1;
		$at += ($length + 3) & ~3;
	}
	die "the kernel does not say which number nbd has\n";
}

# The number of the device with this identity; undef when there is none.
sub device {
	my ($identity) = @_;
	for my $path (glob '/sys/block/nbd*/backend') {
		open(my $file, '<', $path) or next;
		chomp(my $found = <$file> // '');
		return $1 if $found eq $identity && $path =~ m{/nbd(\d+)/};
	}
	return undef;
}

# A connection on which the export was chosen: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
sub negotiate {
	my ($path, $export) = @_;
	socket(my $server, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!\n";
	connect($server, pack_sockaddr_un($path)) or die "$path: $!\n";
	my $take = sub {
		my ($length) = @_;
		my $bytes = '';
		while (length $bytes < $length) {
			sysread($server, $bytes, $length - length $bytes, length $bytes) or die "$path: closed in the negotiation\n";
		}
		return $bytes;
	};
	my $hello = $take->(18);
	die "$path: no NBD server\n" unless substr($hello, 0, 16) eq 'NBDMAGICIHAVEOPT';
	my $go = pack('L>', length $export) . $export . pack('S>', 0);
	syswrite($server, pack('L>', 3) . 'IHAVEOPT' . pack('L>L>', 7, length $go) . $go);
	my ($size, $flags);
	while (1) {
		my ($type, $length) = unpack('x12L>L>', $take->(20));
		my $data = $length > 0 ? $take->($length) : '';
		die "$path: export $export is refused\n" if $type & 0x80000000;
		last if $type == 1;
		($size, $flags) = unpack('x2Q>S>', $data) if unpack('S>', $data) == 0;
	}
	die "$path: export $export has no size\n" unless defined $size;
	return ($server, $size, $flags);
}

sub attach {
	my ($family, $identity, $path, $export) = @_;
	my ($server, $size, $flags) = negotiate($path, $export);
	my $item = attribute(1 | $nested, attribute(1, pack('L', fileno $server)));
	my $sockets = attribute($attribute{sockets} | $nested, $item);
	my $named = attribute($attribute{identity}, "$identity\0");
	my $number = device($identity);
	if (defined $number) {
		my $index = attribute($attribute{index}, pack('L', $number));
		defined ask($family, $control{reconfigure}, $index, $sockets, $named) or die "nbd$number takes no connection: $!\n";
		return $server;
	}
	my @more = ([size => $size], [block => 512], [flags => $flags], [dead => $dead_seconds]);
	my @attributes = map { attribute($attribute{$_->[0]}, pack('Q', $_->[1])) } @more;
	defined ask($family, $control{connect}, @attributes, $sockets, $named) or die "the kernel makes no device: $!\n";
	return $server;
}

# poll(2): hang-ups and errors are told without being asked for. What comes in is the kernel's to read.
sub wait_for_end {
	my ($server) = @_;
	my $watched = pack('lss', fileno $server, 0, 0);
	while (syscall(7, $watched, 1, -1) < 0) { die "poll: $!\n" unless $!{EINTR} }
	return;
}

my ($what, $identity, $path, $export) = @ARGV;
my $family = family();
if ($what eq 'disconnect') {
	my $number = device($identity);
	exit 0 unless defined $number;
	defined ask($family, $control{disconnect}, attribute($attribute{index}, pack('L', $number))) or die "nbd$number: $!\n";
	exit 0;
}
$| = 1;
my $number = device($identity);
my $server;
if (!defined $number) {
	$server = attach($family, $identity, $path, $export);
	$number = device($identity) // die "the kernel shows no device of $identity\n";
}
open(my $timer, '>', "/sys/block/nbd$number/queue/io_timeout") or die "nbd$number: $!\n";
print $timer $look_again_ms;
close($timer) or die "nbd$number: $!\n";
print "device $number\n";
while (1) {
	while (!defined $server) {
		$server = eval { attach($family, $identity, $path, $export) };
		last if defined $server;
		# Refused by the kernel: it still has the connection that an earlier one of us brought, whose end nobody tells us.
		select(undef, undef, undef, $@ =~ /takes no connection/ ? 2 : 0.2);
	}
	print "connected\n";
	wait_for_end($server);
	close($server);
	undef $server;
}
