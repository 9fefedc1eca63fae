# User-mode tests: tests/guest/NAME.S becomes the flat image tests/guest/NAME.bin, which
# tests/guest/run executes on the interpreter and on the host.
# SPDX-License-Identifier: MIT

guest_images := $(patsubst %.S,%.bin,$(call src,tests/guest/*.S))
$(shell mkdir -p tests/guest)
unit-tests: $(guest_images) tests/guest/run

$(guest_images): tests/guest/%.bin: $(srcdir)/tests/guest/%.S $(srcdir)/tests/guest/expect.h
	$(call say,AS)$(CC) -m32 -E -x assembler-with-cpp -I$(srcdir) -o $(@:.bin=.s) $< && \
		$(AS) --32 -o $(@:.bin=.o) $(@:.bin=.s) && \
		$(LD) -m elf_i386 --build-id=none --oformat binary -e 0 -Ttext 0x110000 -o $@ $(@:.bin=.o)

tests/guest/run.o: $(srcdir)/tests/guest/run.c $(srcdir)/tests/fuzz/fuzz.h Makefile
	$(call say,CC)$(COMPILE) -c -o $@ $<

tests/guest/run: tests/guest/run.o $(tool_support:.c=.o) libprescient.a
	$(call say,LD)$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $< $(tool_support:.c=.o) libprescient.a $(LIBS)

-include tests/guest/run.d

# The test kernel: tests/guest/kernel/ becomes the multiboot kernel tests/guest/kernel.elf.

kernel_sources := $(call src,tests/guest/kernel/*.S tests/guest/kernel/*.c)
kernel_objects := $(patsubst %.S,%.o32,$(filter %.S,$(kernel_sources))) \
	$(patsubst %.c,%.o32,$(filter %.c,$(kernel_sources)))
$(shell mkdir -p tests/guest/kernel)
unit-tests: tests/guest/kernel.elf

tests/guest/kernel/entry.o32: $(srcdir)/tests/guest/kernel/entry.S build.flags
	$(call say,AS)$(CC) -m32 -E -x assembler-with-cpp -I$(srcdir) -o $(@:.o32=.s) $< && \
		$(AS) --32 -o $@ $(@:.o32=.s)

$(filter-out tests/guest/kernel/entry.o32,$(kernel_objects)): %.o32: $(srcdir)/%.c build.flags
	$(call say,CC)$(CC) $(FLAGS32) $(WARNINGS) -Wno-array-bounds -I$(srcdir) -MMD -MP \
		-MF $(@:.o32=.d) -c -o $@ $<

tests/guest/kernel.elf: $(kernel_objects) $(srcdir)/tests/guest/kernel/kernel.ld
	$(call say,LD)$(LD) -m elf_i386 --build-id=none -z noexecstack --no-warn-rwx-segments \
		-T $(srcdir)/tests/guest/kernel/kernel.ld -o $@ $(kernel_objects)

-include $(kernel_objects:.o32=.d)
