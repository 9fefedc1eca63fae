/* All commands of the monitor, one line each. */
/* SPDX-License-Identifier: MIT */
#include "frontend/command.h"

/* clang-format off */
const struct command command_table[] = {
    {"help|?", "[COMMAND]", "this list, or one command's line", command_help, 0},
    {"info|i", "[TOPIC]", "shows something of the machine; alone: lists the topics", command_info, 0},
    /* running */
    {"stop", "", "stops the machine; virtual time stops too", command_stop, 0},
    {"cont", "", "lets it go on", command_cont, COMMAND_RUNS},
    {"c", "", "the same, and waits until it stops; Ctrl-C stops it", command_cont, COMMAND_RUNS | COMMAND_WAITS},
    {"step|s|stepi|si", "[N]", "runs one instruction, or N", command_step, COMMAND_RUNS | COMMAND_WAITS},
    {"sb", "N", "runs N instructions (Bochs' word for step N)", command_step, COMMAND_RUNS | COMMAND_WAITS},
    {"next|n|until", "[ADDR]", "goes on to the instruction behind this one, or at ADDR", command_until, COMMAND_RUNS | COMMAND_WAITS},
    {"wait", "", "the next command waits until the machine has stopped", command_wait, COMMAND_WAITS},
    {"stepirq", "on|off", "whether interrupts are taken while stepping (default: off)", command_stepirq, 0},
    /* breakpoints */
    {"lb|vb|b|break", "ADDR [LIMITS]", "breakpoint at a linear address, SEL:OFF or symbol", command_lb, 0},
    {"pb", "ADDR [LIMITS]", "breakpoint at a physical address", command_pb, 0},
    {"watch", "r|w|a ADDR [SIZE] [LIMITS]", "stops behind reads, writes or both of data", command_watch, 0},
    {"watch", "pte ADDR [LIMITS]", "stops behind writes to the page-table entry that maps ADDR", command_watch, 0},
    {"delete|d", "[N]", "deletes breakpoint N, or all", command_delete, 0},
    {"enable", "N", "makes breakpoint N count again", command_enable, 0},
    {"disable", "N", "keeps breakpoint N but does not stop at it", command_disable, 0},
    {"modebp", "on|off", "stops when the CPU changes its mode", command_modebp, 0},
    {"magic-break", "on|off", "stops at XCHG BX,BX", command_magic_break, 0},
    {"on", "exception=N[,N...]|none | triple-fault=stop|reset|exit", "where exceptions stop the machine, and what a triple fault does", command_on, 0},
    {"show", "int|off", "tells each exception and interrupt on standard error", command_show, 0},
    /* looking */
    {"x", "/[COUNT][FORMAT][SIZE] ADDR", "memory at a linear address: x d u o c s i (code), b h w g", command_x, 0},
    {"xp", "/[COUNT][FORMAT][SIZE] ADDR", "memory at a physical address", command_xp, 0},
    {"print|p", "[/FORMAT] EXPRESSION", "a value; [A] is memory, names are registers and symbols", command_print, 0},
    {"u", "[/N] [ADDR]", "disassembles N instructions", command_u, 0},
    {"r|registers", "", "all registers", command_r, 0},
    {"creg", "", "control registers", command_creg, 0},
    {"sreg", "", "segment registers", command_sreg, 0},
    {"dreg", "", "debug registers", command_dreg, 0},
    {"fpu", "", "x87 and SSE registers", command_fpu, 0},
    {"print-stack|bt", "[N]", "the stack's words, those that lead into code named", command_print_stack, 0},
    {"page", "ADDR | mark | diff", "how an address is translated; what changed since a mark", command_page, 0},
    {"symbol|sym", "NAME|ADDR|NAME*", "the address of a name, the name of an address", command_symbol, 0},
    {"linux-symbols", "", "reads the symbols of the Linux kernel that runs", command_linux_symbols, 0},
    {"syntax", "intel|att", "how code is shown", command_syntax, 0},
    /* changing */
    {"set", "REG = VALUE", "sets a register", command_set, 0},
    {"setmem", "b|h|w ADDR VALUE", "writes memory (RAM) at a linear address", command_setmem, 0},
    /* the machine */
    {"system_reset", "", "presses the reset button", command_system_reset, 0},
    {"system_powerdown", "", "presses the power button", command_system_powerdown, 0},
    {"sendkey", "KEY[-KEY...]", "presses keys together, as in ctrl-alt-delete", command_sendkey, 0},
    {"screendump", "FILE", "saves the screen as PNG", command_screendump, 0},
    {"savevm", "NAME", "saves the machine and its disks as NAME.snap", command_savevm, 0},
    {"loadvm", "NAME", "makes machine and disks what they were", command_loadvm, 0},
    {"balloon", "MIB", "asks the guest to get along with so much memory", command_balloon, 0},
    {"quit|q", "", "ends the program", command_quit, 0},
    {"", NULL, NULL, NULL, 0},
};

const struct command info_table[] = {
    {"registers", "", "all registers", command_r, 0},
    {"balloon", "", "memory that the guest has given back", command_info_balloon, 0},
    {"status", "", "whether the machine runs, and where it is", command_info_status, 0},
    {"break|breakpoints", "", "breakpoints and watchpoints", command_info_break, 0},
    {"gdt", "[N]", "the global descriptor table, or entry N", command_info_gdt, 0},
    {"ldt", "[N]", "the local descriptor table", command_info_ldt, 0},
    {"idt", "[N]", "the interrupt descriptor table, or the real-mode vectors", command_info_idt, 0},
    {"tss", "", "the task state segment", command_info_tss, 0},
    {"tlb", "", "each page of the current page tables", command_info_tlb, 0},
    {"mem", "", "ranges of linear memory and their rights", command_info_mem, 0},
    {"tab", "", "ranges of linear memory and where they are", command_info_tab, 0},
    {"mtree", "", "the physical memory map", command_info_mtree, 0},
    {"fpu", "", "x87 and SSE registers", command_fpu, 0},
    {"symbols", "", "how many there are, and from where", command_info_symbols, 0},
    {"version", "", "the program's version", command_info_version, 0},
    {"", NULL, NULL, NULL, 0},
};
/* clang-format on */
