# The monitor's and gdb's tests: tests/monitor/talk holds a conversation that a script describes.
# SPDX-License-Identifier: MIT

$(shell mkdir -p tests/monitor)
unit-tests: tests/monitor/talk

tests/monitor/talk.o: $(srcdir)/tests/monitor/talk.c Makefile
	$(call say,CC)$(COMPILE) -c -o $@ $<

tests/monitor/talk: tests/monitor/talk.o
	$(call say,LD)$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $<
