#!/bin/sh
# The window's status line as it is drawn on a display of its own (Xvfb), read dot by dot: it tells what Linux does
# with a disk, a floppy and the network, how busy the virtual CPU is, and that the machine is paused.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

[ "${HAVE_SLIRP:-1}" = 1 ] || skip "this build has no user network"
display_start
modules="scsi_common scsi_mod libata ata_piix crct10dif_common crct10dif_generic crc-t10dif crc64 crc64_rocksoft_generic
    crc64-rocksoft t10-pi sd_mod e1000 floppy"
kernel_file 686
kernel=$file
initrd_with_modules 686 $modules
initrd=$file
cd "$work" || exit 1
truncate -s 32M disk.img
truncate -s 1440K floppy.img
mkdir tftp
head -c 2000000 /dev/urandom >tftp/file

# The characters of the line, from the table that draws them: seven rows of dots each, as numbers.
sed -n "s/^ *{'\(.\)', {\(0x.*\)}},/\1 \2/p" "$boot/../../frontend/status_line.c" | tr -d , >glyphs
[ "$(wc -l <glyphs)" -gt 40 ] || fail "no table of characters in status_line.c"

# What the line says: in the window's last 20 rows, from 6 dots on, characters of 5 by 7 dots of 2 by 2 each,
# 12 apart, from the fourth row on.
status_line()
{
    eval "$(xdotool getwindowgeometry --shell "$window")"
    row=0
    while [ $row -lt 7 ]; do
        dots $((X + 6)) $((Y + HEIGHT - 17 + 2 * row)) $((WIDTH - 6)) | tr '\n' ' '
        echo
        row=$((row + 1))
    done | awk '
        function value(hex) { return index("0123456789abcdef", substr(hex, 3, 1)) * 16 + index("0123456789abcdef", substr(hex, 4, 1)) - 17 }
        FILENAME == "glyphs" { key = ""; for (n = 2; n <= 8; n++) key = key " " value($n); name[key] = $1; next }
        { for (c = 0; c * 12 + 10 <= NF; c++) {
              bits = 0
              for (d = 0; d < 5; d++) bits = bits * 2 + ($(c * 12 + d * 2 + 1) == "00c8c8c8")
              said[c] = said[c] " " bits
          }
          cells = c }
        END { for (c = 0; c < cells; c++) line = line (said[c] in name ? name[said[c]] : " "); print line }' glyphs -
}

says() # PATTERN
{
    status_line >line
    grep -q -e "$1" line
}

status_wait() # PATTERN
{
    await 120 says "$1" || fail "the status line says '$(cat line)', not '$1'"
}

guest_start -display sdl -serial stdio -monitor pty -no-reboot -m 128 -name 'status test' -kernel "$kernel" \
    -initrd "$initrd" -append 'console=ttyS0 panic=-1' -drive file=disk.img,format=raw \
    -drive file=floppy.img,if=floppy,format=raw -nic "user,model=e1000,tftp=$work/tftp"
window_wait 'status test'
guest_wait 'prescient# ' 400
guest_type "cd /modules; for m in $(echo $modules); do insmod \$m.ko; done; /lease eth0; cd /tmp; echo in\"\"serted\n"
guest_wait '^inserted' 120
status_wait '^DISK 0 KB/S  NET 0 KB/S  CPU [0-9]* % *$'

# again COMMAND...: for ever, with nothing in the caches; over with an interrupt.
guest_type 'again() { while "$@" 2>/dev/null; do echo 3 >/proc/sys/vm/drop_caches; done; }\n'
guest_type 'again dd if=/dev/sda of=/dev/null bs=64k\n'
status_wait '^DISK [0-9.]*[1-9][0-9.]* [KM]B/S  NET 0 KB/S  CPU [1-9]'
guest_type '\003'
guest_type 'again tftp -g -r file 10.0.2.2\n'
status_wait '^DISK 0 KB/S  NET [0-9.]*[1-9][0-9.]* [KM]B/S  CPU [1-9]'
guest_type '\003'
status_wait '^DISK 0 KB/S  NET 0 KB/S '
guest_type 'again dd if=/dev/fd0 of=/dev/null bs=9k\n'
status_wait '^DISK [0-9.]*[1-9][0-9.]* [KM]B/S  NET 0 KB/S '
guest_type '\003'
monitor stop
status_wait '^DISK 0 KB/S  NET 0 KB/S  CPU [0-9]* %  PAUSED'
monitor cont
status_wait '^DISK 0 KB/S  NET 0 KB/S  CPU [0-9]* % *$'
guest_type 'poweroff -f\n'
guest_end 60
