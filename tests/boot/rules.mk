# Guests for the boot tests: tests/boot/NAME.S becomes the disk image tests/boot/NAME.img, a boot
# sector and what it loads.
# SPDX-License-Identifier: MIT

boot_images := $(patsubst %.S,%.img,$(call src,tests/boot/*.S))
$(shell mkdir -p tests/boot)
unit-tests: $(boot_images)

$(boot_images): tests/boot/%.img: $(srcdir)/tests/boot/%.S $(srcdir)/tests/boot/stub.inc
	$(call say,AS)$(CC) -m32 -E -x assembler-with-cpp -I$(srcdir) -o $(@:.img=.s) $< && \
		$(AS) --32 -o $(@:.img=.o) $(@:.img=.s) && \
		$(LD) -m elf_i386 --build-id=none --oformat binary -e 0 -Ttext 0x7c00 -o $@ $(@:.img=.o)
