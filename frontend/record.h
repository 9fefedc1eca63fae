/* Trace files: what -trace writes and `prescient trace` reads. A gzip stream of the magic and of
 * records. A record begins with a varint (LEB128); its low three bits are enum record, the rest is
 * the record's first value. Differences are zigzag-coded. */
/* SPDX-License-Identifier: MIT */
#ifndef FRONTEND_RECORD_H
#define FRONTEND_RECORD_H

#include "frontend/options.h"

#define RECORD_MAGIC "prescient trace 1\n"

/* First value: then what follows. */
enum record {
    RECORD_INSN,   /* linear address - the instruction's before; its bytes are in the code table */
    RECORD_ACCESS, /* enum access_bits | size << 2: linear address - the access's before, value */
    RECORD_EVENT,  /* vector | enum event_bits << 8: time, error, CR2, length and text of why */
    RECORD_PORT,   /* port << 4 | size << 1 | write: value */
    RECORD_DEVICE, /* physical address << 4 | size << 1 | write: value */
    RECORD_CALL,   /* target: time, stack pointer */
    RECORD_RETURN, /* stack pointer: time */
    RECORD_OTHER   /* enum record_other */
};
enum access_bits { ACCESS_BIT_WRITE = 1, ACCESS_BIT_KNOWN = 2 };
enum event_bits { EVENT_BIT_FAULT = 1, EVENT_BIT_ERROR = 2, EVENT_BIT_SOFTWARE = 4 };
enum record_other {
    OTHER_CODE,    /* linear address, code mode, length, bytes: a change of the code table */
    OTHER_CONTEXT, /* code mode | CPL << 2, CR3, CS selector, CS base */
    OTHER_COUNT,   /* instructions completed: differs from what the records add up to */
    OTHER_SYMBOL,  /* address, length, name */
    OTHER_END      /* instructions completed, time */
};

/* The code table, which writer and reader keep alike: what was last seen at addresses. */
enum { CODE_TABLE_SIZE = 1 << 16, CODE_BYTES_MAX = 15 };
struct record_code {
    u64 lin;                  /* address */
    u8 mode;                  /* enum code_mode */
    u8 len;                   /* of bytes; 0: the entry is empty */
    u8 bytes[CODE_BYTES_MAX]; /* one instruction */
    u8 kind;                  /* enum record_flow, the writer's */
};
enum record_flow { FLOW_STRAIGHT, FLOW_CALL, FLOW_RETURN };

static inline struct record_code *record_code_at(struct record_code *table, u64 lin)
{
    return &table[(lin ^ lin >> 16) & (CODE_TABLE_SIZE - 1)];
}

struct recorder;
struct cpu;
struct symbols;

/* Starts to write what the specification FILE[,insn][,mem][,int][,io][,mmio][,call]
 * [,range=FIRST..LAST][,cr3=ADDR][,cpl=N] asks for. The CPU has its debugger. The symbols, and
 * those of a Linux in the guest if there are none, go into the file at its end. NULL with *err set.
 */
struct recorder *recorder_new(struct cpu *cpu, struct symbols *symbols, const char *spec,
                              struct error *err);
void recorder_free(struct recorder *r); /* NULL is allowed */

/* prescient trace ...; the program's exit status. */
int record_main(int argc, char **argv);

#endif
