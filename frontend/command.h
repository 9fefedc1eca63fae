/* What the monitor's commands share. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_COMMAND_H
#define FRONTEND_COMMAND_H

#include "cpu/breakpoint.h"
#include "frontend/disasm.h"
#include "frontend/lines.h"
#include "frontend/machine.h"
#include "frontend/symbols.h"
#include "frontend/text.h"

struct profile;

/* Flags of a command. */
enum {
    COMMAND_RUNS = 1, /* lets the machine run: not on behalf of a debugger */
    COMMAND_WAITS = 2 /* the next one waits until the machine has stopped again */
};

/* What is told on standard error as it happens (command_follow.c). */
struct follow {
    struct hook hook; /* on the CPU */
    bool insn;        /* each instruction: trace on */
    bool call, iret;  /* far and near calls; returns from handlers */
    bool event;       /* exceptions and interrupts */
    bool mode;        /* changes of the mode */
};

struct monitor {
    struct machine *m;             /* the machine */
    struct cpu *cpu;               /* its CPU */
    const struct options *options; /* the command line */
    struct symbols *symbols;       /* names of addresses */
    bool loaded;                   /* those of files are in it */
    struct lines *lines;           /* source lines of the same files, or NULL */
    struct disasm *disasm;         /* shows code */
    struct session *session;       /* who talks to it, a list */
    struct session *current;       /* whose command is executed, or NULL */
    u64 examine_at;                /* where x and u go on */
    u64 code_at;
    u64 *marked;              /* page diff: the mark's leaf entries, or NULL */
    u64 marked_count;         /* entries of marked, two values each: linear, entry */
    char *medium[MAX_DRIVES]; /* what was put into each drive, where changed */
    bool changed[MAX_DRIVES]; /* its medium is not that of the command line any more */
    struct profile *profile;  /* -profile, or NULL */
    struct follow follow;     /* what `trace` and `show` tell */
    const void *gdb; /* owner of gdb's breakpoints: not deleted by `delete` without a number */
};

struct command {
    const char *name; /* and other names, separated by | */
    const char *args; /* as help shows them */
    const char *help; /* one line */
    void (*run)(struct monitor *mon, const char *args, struct text *out);
    unsigned flags; /* COMMAND_* */
};

/* The tables, in command_table.c; they end with an empty name. */
extern const struct command command_table[], info_table[];
const struct command *command_find(const struct command *table, const char *name, size_t len);

/* Arguments */

/* The next word, cut to size; false when there is none. */
bool arg_word(const char **args, char *word, size_t size);
/* Is the next word this one? Then it is passed over. */
bool arg_is(const char **args, const char *word);
/* An expression, or FILE:LINE for where that line's code begins; tells what is wrong in *out and
 * returns false. */
bool arg_value(struct monitor *mon, const char **args, u64 *value, struct text *out);
/* The same for a linear address: of 32 bits, or negative. */
bool arg_linear(struct monitor *mon, const char **args, u64 *lin, struct text *out);
/* The end of the arguments; else tells so. */
bool arg_end(const char *args, struct text *out);

/* For several commands */

/* "0008:c0101234 <name+0x12>" of the current instruction. */
void show_place(struct monitor *mon, u16 cs, u64 rip, struct text *out);
/* Why it stopped and where; the instruction there. */
void show_pause(struct monitor *mon, struct text *out);
void show_walk(struct monitor *mon, u64 lin, struct text *out);
/* Linear address of the next instruction. */
u64 code_address(const struct cpu *cpu);

void drives_show(struct monitor *mon, struct text *out);
/* command_follow.c: nothing is told any more. */
void follow_end(struct monitor *mon);

#define COMMAND(name) void command_##name(struct monitor *mon, const char *args, struct text *out)
COMMAND(help);
COMMAND(info);
/* command_run.c */
COMMAND(stop);
COMMAND(cont);
COMMAND(step);
COMMAND(until);
COMMAND(wait);
COMMAND(lb);
COMMAND(pb);
COMMAND(watch);
COMMAND(delete);
COMMAND(enable);
COMMAND(disable);
COMMAND(modebp);
COMMAND(magic_break);
COMMAND(on);
COMMAND(show);
COMMAND(trace);
COMMAND(stepirq);
COMMAND(info_break);
COMMAND(info_status);
/* command_memory.c */
COMMAND(x);
COMMAND(xp);
COMMAND(print);
COMMAND(u);
COMMAND(r);
COMMAND(creg);
COMMAND(sreg);
COMMAND(dreg);
COMMAND(fpu);
COMMAND(set);
COMMAND(setmem);
COMMAND(print_stack);
COMMAND(bt);
COMMAND(symbol);
COMMAND(syntax);
COMMAND(linux_symbols);
COMMAND(info_symbols);
/* command_tables.c */
COMMAND(info_gdt);
COMMAND(info_ldt);
COMMAND(info_idt);
COMMAND(info_tss);
/* command_paging.c */
COMMAND(page);
COMMAND(info_tlb);
COMMAND(info_mem);
COMMAND(info_tab);
/* command_snapshot.c */
COMMAND(savevm);
COMMAND(loadvm);
COMMAND(balloon);
COMMAND(info_balloon);
/* command_devices.c */
COMMAND(info_pci);
COMMAND(info_pic);
COMMAND(info_irq);
/* command_drives.c */
COMMAND(change);
COMMAND(eject);
/* command_translate.c */
COMMAND(info_block);
COMMAND(info_translate);
COMMAND(info_profile);
/* command_machine.c */
COMMAND(quit);
COMMAND(system_reset);
COMMAND(system_powerdown);
COMMAND(sendkey);
COMMAND(screendump);
COMMAND(info_mtree);
COMMAND(info_version);

#endif
