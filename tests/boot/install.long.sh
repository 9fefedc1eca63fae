#!/bin/sh
# A whole installation: Debian's installer, preseeded, from a package mirror onto a qcow2 disk; then that system
# boots, installs a package, serves a file through a forwarded port and shuts down by the power button.
# Limit: 7200 s
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

. "$(dirname "$0")/installed"

images=/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386
package_file debian-installer-12-netboot-i386 $images/linux installer-linux
kernel=$file
package_file debian-installer-12-netboot-i386 $images/initrd.gz installer-initrd.gz
installer=$file

mirror_find
host=${mirror#http://}
folder=/${host#*/}
host=${host%%/*}
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
d-i debian-installer/add-kernel-opts string console=tty0 console=ttyS0 systemd.show_status=1
d-i finish-install/reboot_in_progress note
d-i debian-installer/exit/poweroff boolean true
END
(cd "$work/preseed" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1n >"$work/preseed.gz"
cat "$installer" "$work/preseed.gz" >"$work/initrd.gz"

guest_start $machine -kernel "$kernel" -initrd "$work/initrd.gz" -append "auto=true priority=critical"
for stage in netcfg choose-mirror download-installer partman-base bootstrap-base apt-setup-udeb pkgsel \
    grub-installer finish-install; do
    guest_wait "Menu item '$stage' selected" 2400
    picture "$stage"
done
guest_end 600
"$PRESCIENT" img check "$disk" || fail "the image is damaged after the installation"

installed_use
