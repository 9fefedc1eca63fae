# The monitor's and gdb's tests: tests/monitor/talk holds a conversation that a script describes.
# SPDX-License-Identifier: MIT

$(shell mkdir -p tests/monitor)
unit-tests: tests/monitor/talk

tests/monitor/talk.o: $(srcdir)/tests/monitor/talk.c Makefile
	$(call say,CC)$(COMPILE) -c -o $@ $<

tests/monitor/talk: tests/monitor/talk.o
	$(call say,LD)$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $<

# The kernels of tests: the strict mode has much to tell of one, the other has large pages.
unit-tests: tests/monitor/strict.elf tests/monitor/pages.elf

tests/monitor/%.elf: $(srcdir)/tests/monitor/%.S build.flags
	$(call say,AS)$(CC) -m32 -E -x assembler-with-cpp -o $(@:.elf=.s) $< && \
		$(AS) --32 -o $(@:.elf=.o) $(@:.elf=.s) && \
		$(LD) -m elf_i386 --build-id=none -e start -Ttext 0x100000 -o $@ $(@:.elf=.o)
