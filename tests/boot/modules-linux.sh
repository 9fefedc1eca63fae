#!/bin/sh
# Symbols of a Linux that runs, and of the modules that it has loaded, found in its memory wherever KASLR
# and the module loader have put them: they are those of /proc/kallsyms. A breakpoint at a module's function.
# SPDX-License-Identifier: MIT
. "$(dirname "$0")/common"

modules='virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio-rng'
kernel_file 686
kernel=$file
initrd_with_modules 686 $modules
guest_start -nographic -no-reboot -m 128 -kernel "$kernel" -initrd "$file" \
    -append 'console=ttyS0 panic=-1' -device virtio-rng-pci -profile "$work/p" -monitor "unix:$work/monitor"
guest_wait 'prescient# ' 300
guest_type "for m in $modules; do insmod /modules/\$m.ko; done; echo in\"\"serted\n"
guest_wait '^inserted' 30
guest_type 'grep -w -e vring_interrupt -e register_virtio_driver -e virtrng_probe -e do_exit /proc/kallsyms; echo li""sted\n'
guest_wait '^listed' 30
guest_type 'dd if=/dev/zero of=/dev/null bs=1 count=200000; echo mo""ved\n' # system calls to be sampled
guest_wait '^moved' 60
address() # SYMBOL
{
    tr -d '\r' <"$out" | sed -n "s/^\\([0-9a-f]\\{8\\}\\) [tT] $1\\(\t.*\\)*\$/\\1/p" | head -n 1
}
{
    echo '> stop'
    echo '> linux-symbols'
    echo '^[0-9]+ symbols, of [6-9] modules$'
    for symbol in vring_interrupt register_virtio_driver virtrng_probe do_exit; do
        place=$(address $symbol)
        [ -n "$place" ] || fail "the guest does not list $symbol"
        echo "> symbol $symbol"
        echo "^$place $symbol"
        echo "> symbol 0x$place + 4"
        echo "^$(printf %08x $((0x$place + 4))) $symbol\\+0x4"
    done
    echo '> lb vring_interrupt'
    echo "^breakpoint [0-9]+ at $(address vring_interrupt) <vring_interrupt>"
} >"$work/talk"
"$BUILD/tests/monitor/talk" "$work/monitor" "$work/talk" || fail "the symbols"
# random numbers come from the device, which interrupts; what is typed waits for the machine to go on
guest_type 'dd if=/dev/hwrng bs=16 count=1 of=/dev/null\n'
cat >"$work/talk" <<'END'
> c
> info status
^breakpoint [0-9]+: 0060:[0-9a-f]+ <vring_interrupt>, protected mode, 32 bit$
> bt
^#0  [0-9a-f]+ <vring_interrupt>$
<vp_(vring_)?interrupt\+
<__handle_irq_event_percpu\+
<asm_common_interrupt\+
^    by an interrupt or exception at:$
^#[0-9]+ +[0-9a-f]+ <
> delete
# a system call: from the kernel's function to the user code that asks for it
> lb ksys_write cpl 0 once
END
"$BUILD/tests/monitor/talk" "$work/monitor" "$work/talk" || fail "the breakpoint"
guest_type 'echo written\n'
cat >"$work/talk" <<'END'
> c
> bt
^#0  [0-9a-f]+ <ksys_write>$
^#1  [0-9a-f]+ <__ia32_sys_write\+
<do_(int80_syscall_32|fast_syscall_32)\+
^    from user code:$
^#[0-9]+ +[0-9a-f]{8}$
> quit
END
"$BUILD/tests/monitor/talk" "$work/monitor" "$work/talk" || fail "the stack of a system call"
guest_end 60
# the profile has such stacks, too
grep -qE '^user(;\[[0-9a-f]+\])+;kernel;(entry_|do_)[^ ]+;\[[a-z]+\] [0-9]+$' "$work/p" || fail "the profile's stacks"
