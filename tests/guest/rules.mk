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
