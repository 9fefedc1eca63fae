#!/bin/sh
# A whole installation: Debian's installer, preseeded, from a package mirror onto a qcow2 disk; then that system
# boots, installs a package, serves a file through a forwarded port and shuts down by the power button.
# INSTALL_KEEP names a folder for screenshots of each stage, the serial output and the disk.
# Limit: 7200 s
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

[ "${HAVE_SLIRP:-1}" = 1 ] || skip "this build has no user network"
command -v cpio >/dev/null || skip "cpio is not installed"
images=/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386
package_file debian-installer-12-netboot-i386 $images/linux installer-linux
kernel=$file
package_file debian-installer-12-netboot-i386 $images/initrd.gz installer-initrd.gz
installer=$file

# The mirror that this host's own packages come from, as seen by the guest.
export APT_CONFIG="$cache/apt/i386/apt.conf"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' \
    'Component: main' 2>/dev/null | grep '^http:' | head -n 1)
[ -n "$mirror" ] || skip "no package mirror of Debian 12 is reached by http from here"
fetch() # PATH FILE
{
    /usr/lib/apt/apt-helper download-file "$mirror$1" "$2" >/dev/null 2>&1 ||
        skip "the package mirror does not have the installer's packages ($1)"
}
fetch dists/bookworm/main/debian-installer/binary-i386/Packages.gz "$work/packages"
for package in bootstrap-base partman-base grub-installer; do
    fetch "$(zcat "$work/packages" | awk -v p=$package '$1 == "Package:" { this = $2 }
        $1 == "Filename:" && this == p { print $2 }')" "$work/$package"
done
proxy=$(apt-config dump 2>/dev/null | sed -n 's/^Acquire::http::Proxy "\(.*\)";/\1/p' |
    sed 's/localhost\|127\.0\.0\.1/10.0.2.2/')
unset APT_CONFIG
host=${mirror#http://}
folder=/${host#*/}
host=${host%%/*}

mkdir "$work/preseed"
cat >"$work/preseed/preseed.cfg" <<END
d-i preseed/early_command string for n in 3 4 5 6 7 8 9; do eval "exec \$n>&-"; done; tail -F /var/log/syslog </dev/null >/dev/ttyS0 2>&1 &
d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i hw-detect/load_firmware boolean false
d-i netcfg/choose_interface select auto
d-i netcfg/get_hostname string guest
d-i netcfg/get_domain string test
d-i mirror/country string manual
d-i mirror/http/hostname string $host
d-i mirror/http/directory string ${folder%/}
d-i mirror/http/proxy string $proxy
d-i mirror/suite string bookworm
d-i passwd/make-user boolean false
d-i passwd/root-password password secret
d-i passwd/root-password-again password secret
d-i clock-setup/utc boolean true
d-i clock-setup/ntp boolean false
d-i time/zone string UTC
d-i partman-auto/disk string /dev/sda
d-i partman-auto/method string regular
d-i partman-auto/choose_recipe select atomic
d-i partman-partitioning/confirm_write_new_label boolean true
d-i partman/choose_partition select finish
d-i partman/confirm boolean true
d-i partman/confirm_nooverwrite boolean true
d-i base-installer/install-recommends boolean false
d-i base-installer/kernel/image string linux-image-686
d-i base-installer/initramfs-tools/driver-policy select dep
d-i apt-setup/services-select multiselect
d-i apt-setup/non-free-firmware boolean false
d-i apt-setup/enable-source-repositories boolean false
tasksel tasksel/first multiselect
d-i pkgsel/include string dbus libpam-systemd
d-i pkgsel/upgrade select none
d-i pkgsel/update-policy select none
popularity-contest popularity-contest/participate boolean false
d-i grub-installer/only_debian boolean true
d-i grub-installer/bootdev string /dev/sda
d-i debian-installer/add-kernel-opts string console=tty0 console=ttyS0
d-i finish-install/reboot_in_progress note
d-i debian-installer/exit/poweroff boolean true
END
(cd "$work/preseed" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1n >"$work/preseed.gz"
cat "$installer" "$work/preseed.gz" >"$work/initrd.gz"

# The stage is over: a picture of it, if somebody wants to look.
picture() # NAME
{
    [ -z "${INSTALL_KEEP:-}" ] && return
    monitor "screendump $INSTALL_KEEP/$1.png"
    cp "$out" "$INSTALL_KEEP/$1.log"
}
[ -z "${INSTALL_KEEP:-}" ] || mkdir -p "$INSTALL_KEEP"

disk=$work/disk.qcow2
"$PRESCIENT" img create -f qcow2 "$disk" 4G || fail "img create"
port=$((20000 + $$ % 20000))
machine="-display none -serial stdio -monitor pty -no-reboot -m 768 -drive file=$disk,format=qcow2
    -nic user,model=e1000,hostfwd=tcp:127.0.0.1:$port-:80"
guest_start $machine -kernel "$kernel" -initrd "$work/initrd.gz" -append "auto=true priority=critical"
for stage in netcfg choose-mirror download-installer partman-base bootstrap-base apt-setup-udeb pkgsel \
    grub-installer finish-install; do
    guest_wait "Menu item '$stage' selected" 2400
    picture "$stage"
done
guest_end 600
"$PRESCIENT" img check "$disk" || fail "the image is damaged after the installation"

rm "$work/in"
waited=0
guest_start $machine
guest_wait 'guest login: ' 600
picture login
guest_type 'root\n'
guest_wait 'Password: ' 60
guest_type 'secret\n'
guest_wait 'root@guest:~# ' 120
guest_type 'stty -echo; apt-get -q update && apt-get -q -y install busybox-static && echo in""stalled\n'
guest_wait '^installed' 600
guest_type 'mkdir www; head -c 5000000 /dev/urandom >www/file; echo su""m $(md5sum <www/file); busybox httpd -p 80 -h www\n'
guest_wait '^sum [0-9a-f]' 120
sleep 1
/usr/lib/apt/apt-helper download-file "http://127.0.0.1:$port/file" "$work/file" >"$work/said" 2>&1 ||
    fail "nothing through the forwarded port: $(cat "$work/said")"
grep -aq "^sum $(md5sum <"$work/file" | cut -d' ' -f1)" "$out" ||
    fail "what came through the forwarded port differs"
picture used
monitor system_powerdown
guest_wait 'Power down' 240
grep -aq 'Stopped target' "$out" || fail "systemd has not stopped its services"
[ -z "${INSTALL_KEEP:-}" ] || cp "$out" "$INSTALL_KEEP/shutdown.log"
guest_end 60
"$PRESCIENT" img check "$disk" || fail "the image is damaged"
if command -v qemu-img >/dev/null; then
    qemu-img check -q "$disk" || fail "qemu-img finds the image damaged"
    "$PRESCIENT" img convert -O raw "$disk" "$work/disk.raw" || fail "img convert"
    qemu-img compare -q "$disk" "$work/disk.raw" || fail "the converted image differs"
fi
[ -z "${INSTALL_KEEP:-}" ] || cp "$disk" "$INSTALL_KEEP"
