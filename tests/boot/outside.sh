#!/bin/sh
# The user network's way out, in a network namespace of the test's own: names by DNS from a server there, ping of the
# router and of the host's addresses, TCP to the host, and restrict=on, which lets nothing out.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

[ "${HAVE_SLIRP:-1}" = 1 ] || skip "this build has no user network"
for tool in bash ip perl unshare; do
    command -v $tool >/dev/null || skip "$tool is not installed (Debian: bash iproute2 perl-base util-linux)"
done
kernel_file 686
kernel=$file
initrd_with_modules 686 e1000
if [ "${1:-}" != inside ]; then
    netns_find 'ip address add 10.77.0.1/32 dev lo && ip link set lo up &&
        echo 0 0 >/proc/sys/net/ipv4/ping_group_range && mount --bind /dev/null /etc/resolv.conf'
    $netns "$0" inside
    exit
fi
ip address add 10.77.0.1/32 dev lo && ip link set lo up || fail "ip"
echo 0 0 >/proc/sys/net/ipv4/ping_group_range || fail "ping_group_range"
echo nameserver 127.0.0.1 >"$work/resolv.conf"
mount --bind "$work/resolv.conf" /etc/resolv.conf || fail "mount"

# A name server that knows one name, and a host that says hello to who connects.
perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(Proto => "udp", LocalAddr => "127.0.0.1", LocalPort => 53) or die "$!";
    open(my $f, ">", shift); close $f;
    while (defined(my $peer = $s->recv(my $q, 512))) {
        my ($name, $at) = ("", 12);
        while ((my $n = ord substr($q, $at, 1)) && $at < length $q) {
            $name .= substr($q, $at + 1, $n) . ".";
            $at += 1 + $n;
        }
        my ($question, $type) = (substr($q, 12, $at + 5 - 12), unpack("n", substr($q, $at + 1, 2)));
        my $known = lc $name eq "there.example.";
        my $answer = $known && $type == 1 ? pack("nnnNnC4", 0xc00c, 1, 1, 60, 4, 10, 77, 0, 1) : "";
        $s->send(substr($q, 0, 2) . pack("n5", $known ? 0x8180 : 0x8183, 1, $answer ? 1 : 0, 0, 0) .
            $question . $answer, 0, $peer);
    }' "$work/dns" 2>>"$work/perl" &
others=$!
perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "10.77.0.1", LocalPort => 70) or die "$!";
    open(my $f, ">", shift); close $f;
    while (my $c = $s->accept) { print $c "hello from outside\n"; close $c }' "$work/host" 2>>"$work/perl" &
others="$others $!"
await 60 test -e "$work/dns" -a -e "$work/host" || fail "no servers: $(cat "$work/perl")"

machine() # MORE-NIC-OPTIONS
{
    guest_start -nographic -no-reboot -m 96 -kernel "$kernel" -initrd "$file" -append 'console=ttyS0 panic=-1' \
        -nic "user,model=e1000$1"
    guest_wait 'prescient# ' 400
    guest_type 'insmod /modules/e1000.ko; /lease eth0; echo nameserver 10.0.2.3 >/etc/resolv.conf\n'
    guest_wait 'dhcp: 10.0.2.15 router' 120
}
machine ''
guest_type 'nslookup -type=a there.example; ping -c 2 10.0.2.2; ping -c 2 there.example; nc there.example 70\n'
guest_wait 'Address: 10.77.0.1' 60
guest_wait '2 packets received' 60
guest_wait 'PING there.example (10.77.0.1)' 60
guest_wait '2 packets received' 60
guest_wait '^hello from outside' 60
guest_type 'nslookup -type=a nowhere.example\n'
guest_wait "can.t find nowhere.example: NXDOMAIN" 60
guest_type 'poweroff -f\n'
guest_end 60

machine ",restrict=on"
guest_type 'route add default gw 10.0.2.2; ping -c 1 -W 2 10.77.0.1; nc -w 2 10.77.0.1 70; echo tri""ed\n'
guest_wait ' 0 packets received' 60
guest_wait '^tried' 60
tail -c 300 "$out" | grep -aq 'hello from outside' && fail "restrict=on let the guest out"
guest_type 'poweroff -f\n'
guest_end 60
