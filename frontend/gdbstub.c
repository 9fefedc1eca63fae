/* gdb's remote serial protocol (gdb manual, appendix E): packets in, answers out. */
/* SPDX-License-Identifier: MIT */
#include "frontend/gdbstub.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "cpu/mem.h"
#include "frontend/gdb_registers.h"
#include "frontend/monitor.h"

enum { PACKET_MAX = 0x4000, MEMORY_MAX = (PACKET_MAX - 16) / 2, CTRL_C = 3 };
enum { SIGNAL_INT = 2, SIGNAL_ILL = 4, SIGNAL_TRAP = 5, SIGNAL_FPE = 8, SIGNAL_SEGV = 11 };

/* A breakpoint that gdb set by Z. */
struct planted {
    unsigned type;   /* 0 software, 1 hardware, 2 write, 3 read, 4 access */
    u64 at, size;    /* as gdb said */
    unsigned number; /* the debugger's */
};
enum { PLANTED_MAX = 256 };

struct gdbstub {
    struct machine *m;                   /* the machine */
    struct cpu *cpu;                     /* its CPU */
    struct monitor *mon;                 /* for qRcmd */
    struct chardev *dev;                 /* the socket */
    bool connected;                      /* somebody is there */
    bool no_ack;                         /* QStartNoAckMode */
    bool running;                        /* gdb waits for a stop reply */
    bool in_packet;                      /* behind the $ */
    bool overlong;                       /* of this packet, bytes were lost */
    unsigned trailer;                    /* characters of the checksum that are still to come */
    u8 sum;                              /* of the packet's characters */
    u8 said;                             /* the checksum that came with it */
    char packet[PACKET_MAX];             /* what came so far */
    size_t len;                          /* of packet */
    struct text out;                     /* the answer that is composed */
    struct planted planted[PLANTED_MAX]; /* breakpoints set by Z */
    unsigned planted_count;              /* entries of planted */
};

/* Packets */

static void put(struct gdbstub *g, const char *data, size_t n)
{
    chardev_write(g->dev, (const u8 *)data, n);
}

static void send_packet(struct gdbstub *g, const char *data, size_t n)
{
    u8 sum = 0;
    char tail[4];
    for (size_t at = 0; at < n; at++)
        sum += (u8)data[at];
    snprintf(tail, sizeof tail, "#%02x", sum);
    put(g, "$", 1);
    put(g, data, n);
    put(g, tail, 3);
}

static void answer(struct gdbstub *g, const char *text)
{
    text_add(&g->out, "%s", text);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hex(const char **at, u64 *value)
{
    unsigned digits = 0;
    for (*value = 0; hex_digit(**at) >= 0; (*at)++, digits++)
        *value = *value << 4 | (u64)hex_digit(**at);
    return digits && digits <= 16;
}

/* Hex bytes into buf; how many, at most max. */
static size_t parse_bytes(const char **at, u8 *buf, size_t max)
{
    size_t n = 0;
    for (; n < max && hex_digit((*at)[0]) >= 0 && hex_digit((*at)[1]) >= 0; *at += 2)
        buf[n++] = (u8)(hex_digit((*at)[0]) << 4 | hex_digit((*at)[1]));
    return n;
}

static void add_hex(struct text *t, const void *bytes, size_t n)
{
    for (size_t at = 0; at < n; at++)
        text_add(t, "%02x", ((const u8 *)bytes)[at]);
}

/* A1,A2 and the character that ends them. */
static bool parse_pair(const char **at, u64 *first, u64 *second, char end)
{
    if (!parse_hex(at, first) || *(*at)++ != ',' || !parse_hex(at, second) || **at != end)
        return false;
    *at += end != 0;
    return true;
}

/* Why it stopped */

static unsigned signal_of(const struct pause *p)
{
    if (p->reason == PAUSE_USER)
        return SIGNAL_INT;
    if (p->reason != PAUSE_EXCEPTION && p->reason != PAUSE_TRIPLE)
        return SIGNAL_TRAP;
    switch (p->fault.vector) {
    case VEC_DE:
    case VEC_MF:
    case VEC_XM: return SIGNAL_FPE;
    case VEC_UD: return SIGNAL_ILL;
    case VEC_DB:
    case VEC_BP: return SIGNAL_TRAP;
    default: return SIGNAL_SEGV;
    }
}

static void add_stop(struct gdbstub *g)
{
    static const char *const words[] = {"swbreak", "hwbreak", "watch", "rwatch", "awatch"};
    const struct pause *p = &g->cpu->debugger->pause;
    text_add(&g->out, "T%02xthread:1;", signal_of(p));
    for (unsigned n = 0; n < g->planted_count; n++) {
        const struct planted *b = &g->planted[n];
        if (!p->number || b->number != p->number)
            continue;
        if (b->type < 2)
            text_add(&g->out, "%s:;", words[b->type]);
        else
            text_add(&g->out, "%s:%" PRIx64 ";", words[b->type], b->at);
    }
}

void gdbstub_stopped(struct gdbstub *g)
{
    if (!g || !g->running)
        return;
    g->running = false;
    text_clear(&g->out);
    add_stop(g);
    send_packet(g, g->out.data, g->out.len);
}

/* Registers and memory */

static void read_registers(struct gdbstub *g)
{
    u8 bytes[GDB_REGISTER_MAX];
    for (unsigned n = 0; n < GDB_REGISTERS; n++)
        add_hex(&g->out, bytes, gdb_register_read(g->cpu, n, bytes));
}

static void write_registers(struct gdbstub *g, const char *at)
{
    u8 bytes[GDB_REGISTER_MAX];
    bool good = true;
    for (unsigned n = 0; n < GDB_REGISTERS && *at && good; n++) {
        unsigned size = gdb_register_read(g->cpu, n, bytes);
        good = parse_bytes(&at, bytes, size) == size && gdb_register_write(g->cpu, n, bytes);
    }
    answer(g, good ? "OK" : "E16");
}

static void read_register(struct gdbstub *g, const char *at)
{
    u8 bytes[GDB_REGISTER_MAX];
    u64 n;
    unsigned size =
        parse_hex(&at, &n) && n < GDB_REGISTERS ? gdb_register_read(g->cpu, (unsigned)n, bytes) : 0;
    if (size)
        add_hex(&g->out, bytes, size);
    else
        answer(g, "E16");
}

static void write_register(struct gdbstub *g, const char *at)
{
    u8 bytes[GDB_REGISTER_MAX];
    u64 n;
    bool good = parse_hex(&at, &n) && *at++ == '=' && n < GDB_REGISTERS;
    if (good) {
        unsigned size = gdb_register_read(g->cpu, (unsigned)n, bytes);
        good =
            parse_bytes(&at, bytes, size) == size && gdb_register_write(g->cpu, (unsigned)n, bytes);
    }
    answer(g, good ? "OK" : "E16");
}

static void read_memory(struct gdbstub *g, const char *at)
{
    u8 bytes[MEMORY_MAX];
    u64 lin, size;
    if (!parse_pair(&at, &lin, &size, 0)) {
        answer(g, "E16");
        return;
    }
    unsigned n = mem_peek(g->cpu, lin, bytes, (unsigned)(size < MEMORY_MAX ? size : MEMORY_MAX));
    if (n || !size)
        add_hex(&g->out, bytes, n);
    else
        answer(g, "E0e");
}

static void write_memory(struct gdbstub *g, const char *at)
{
    u8 bytes[MEMORY_MAX];
    u64 lin, size;
    bool good = parse_pair(&at, &lin, &size, ':') && size <= MEMORY_MAX &&
                parse_bytes(&at, bytes, size) == size;
    good = good && mem_poke(g->cpu, lin, bytes, (unsigned)size) == size;
    answer(g, good ? "OK" : "E0e");
}

/* Breakpoints */

static struct planted *planted_find(struct gdbstub *g, const struct planted *like)
{
    for (unsigned n = 0; n < g->planted_count; n++) {
        struct planted *p = &g->planted[n];
        if (p->type == like->type && p->at == like->at && p->size == like->size)
            return p;
    }
    return NULL;
}

static void planted_remove(struct gdbstub *g, struct planted *p)
{
    struct breakpoint *b = breakpoint_find(g->cpu, p->number);
    if (b)
        breakpoint_delete(g->cpu, b);
    *p = g->planted[--g->planted_count];
}

static bool plant(struct gdbstub *g, struct planted p)
{
    static const u8 access[] = {0, 0, BREAKPOINT_ON_WRITE, BREAKPOINT_ON_READ,
                                BREAKPOINT_ON_READ | BREAKPOINT_ON_WRITE};
    struct breakpoint b = {.kind = p.type < 2 ? BREAKPOINT_LINEAR : BREAKPOINT_DATA,
                           .at = (u32)p.at,
                           .size = p.type < 2 ? 0 : p.size,
                           .access = access[p.type],
                           .enabled = true,
                           .cpl = ANY_CPL,
                           .owner = g};
    if (g->planted_count == PLANTED_MAX || (p.type >= 2 && (!p.size || p.size > PAGE_SIZE)))
        return false;
    p.number = breakpoint_add(g->cpu, &b)->number;
    g->planted[g->planted_count++] = p;
    return true;
}

/* Z and z: TYPE,ADDR,KIND */
static void change_breakpoint(struct gdbstub *g, bool set, const char *at)
{
    struct planted p = {0};
    u64 type;
    if (!parse_hex(&at, &type) || *at++ != ',' || !parse_hex(&at, &p.at) || *at++ != ',' ||
        !parse_hex(&at, &p.size)) {
        answer(g, "E16");
        return;
    }
    if (type > 4)
        return; /* no answer text: not supported */
    p.type = (unsigned)type;
    struct planted *old = planted_find(g, &p);
    if (!set && old)
        planted_remove(g, old);
    answer(g, !set || old || plant(g, p) ? "OK" : "E1c");
}

/* Running */

static void run(struct gdbstub *g)
{
    g->running = true;
    g->cpu->debugger->resumer = g;
    machine_pause(g->m, false);
}

/* c, s, with or without an address to go on from. */
static void go(struct gdbstub *g, bool step, const char *at)
{
    u64 pc;
    if (parse_hex(&at, &pc))
        g->cpu->rip = (u32)(pc - g->cpu->seg[SEG_CS].base);
    debugger_resume(g->cpu, step);
    run(g);
}

/* The first action is for the only thread there is. */
static void go_vcont(struct gdbstub *g, const char *at)
{
    u64 first, end;
    if (*at != ';') {
        answer(g, "E16");
    } else if (at[1] == 'r') {
        at += 2;
        if (!parse_hex(&at, &first) || *at++ != ',' || !parse_hex(&at, &end)) {
            answer(g, "E16");
            return;
        }
        debugger_step_range(g->cpu, first, end);
        run(g);
    } else if (at[1] && strchr("cCsS", at[1])) {
        go(g, (at[1] | 32) == 's', "");
    } else {
        answer(g, "E16");
    }
}

/* Lets go of the machine: breakpoints of gdb's are gone, and it runs. */
static void detach(struct gdbstub *g)
{
    while (g->planted_count)
        planted_remove(g, &g->planted[0]);
    if (machine_paused(g->m)) {
        debugger_resume(g->cpu, 0);
        machine_pause(g->m, false);
    }
    g->running = false;
}

/* Queries */

static void query_features(struct gdbstub *g, const char *at)
{
    struct text xml = {0};
    u64 offset, size;
    if (strncmp(at, "target.xml:", 11) || (at += 11, !parse_pair(&at, &offset, &size, 0))) {
        answer(g, "E00");
        return;
    }
    gdb_describe(&xml);
    offset = offset < xml.len ? offset : xml.len;
    u64 left = xml.len - offset;
    size = size < PACKET_MAX - 8 ? size : PACKET_MAX - 8;
    answer(g, left > size ? "m" : "l");
    text_add_bytes(&g->out, xml.data + offset, left > size ? size : left);
    text_free(&xml);
}

/* monitor COMMAND, in hex; the answer too. */
static void query_command(struct gdbstub *g, const char *at)
{
    char line[PACKET_MAX / 2 + 1];
    struct text t = {0};
    size_t n = parse_bytes(&at, (u8 *)line, sizeof line - 1);
    line[n] = 0;
    monitor_execute(g->mon, line, true, &t);
    /* the longest answer that fits; gdb shows "O" packets as they come */
    for (size_t from = 0; from < t.len; from += MEMORY_MAX / 2) {
        size_t part = t.len - from < MEMORY_MAX / 2 ? t.len - from : MEMORY_MAX / 2;
        text_clear(&g->out);
        answer(g, "O");
        add_hex(&g->out, t.data + from, part);
        send_packet(g, g->out.data, g->out.len);
    }
    text_clear(&g->out);
    answer(g, "OK");
    text_free(&t);
}

static void query(struct gdbstub *g, const char *at)
{
    static const struct {
        const char *name, *text; /* a query, and what is answered */
    } plain[] = {
        {"qSupported", "PacketSize=4000;qXfer:features:read+;QStartNoAckMode+;vContSupported+;"
                       "swbreak+;hwbreak+"},
        {"qAttached", "1"},
        {"qC", "QC1"},
        {"qfThreadInfo", "m1"},
        {"qsThreadInfo", "l"},
        {"qSymbol", "OK"},
    };
    if (!strncmp(at, "qXfer:features:read:", 20)) {
        query_features(g, at + 20);
        return;
    }
    if (!strncmp(at, "qRcmd,", 6)) {
        query_command(g, at + 6);
        return;
    }
    for (size_t n = 0; n < ARRAY_LEN(plain); n++) {
        size_t len = strlen(plain[n].name);
        if (!strncmp(at, plain[n].name, len) &&
            !strchr("abcdefghijklmnopqrstuvwxyz", at[len] ? at[len] : ':')) {
            answer(g, plain[n].text);
            return;
        }
    }
}

static void set_general(struct gdbstub *g, const char *at)
{
    if (strcmp(at, "QStartNoAckMode"))
        return;
    answer(g, "OK");
    g->no_ack = true;
}

static void multi_letter(struct gdbstub *g, const char *at)
{
    if (!strcmp(at, "vCont?"))
        answer(g, "vCont;c;C;s;S;r");
    else if (!strncmp(at, "vCont", 5))
        go_vcont(g, at + 5);
    else if (!strncmp(at, "vKill", 5)) {
        answer(g, "OK");
        machine_quit(g->m, 0);
    }
}

/* One packet; what is not known is answered by an empty one. */
static void obey(struct gdbstub *g, const char *at)
{
    switch (*at) {
    case '?': add_stop(g); break;
    case 'g': read_registers(g); break;
    case 'G': write_registers(g, at + 1); break;
    case 'p': read_register(g, at + 1); break;
    case 'P': write_register(g, at + 1); break;
    case 'm': read_memory(g, at + 1); break;
    case 'M': write_memory(g, at + 1); break;
    case 'Z': change_breakpoint(g, true, at + 1); break;
    case 'z': change_breakpoint(g, false, at + 1); break;
    case 'c': go(g, false, at + 1); break;
    case 's': go(g, true, at + 1); break;
    case 'C':
    case 'S': go(g, *at == 'S', ""); break;
    case 'v': multi_letter(g, at); break;
    case 'q': query(g, at); break;
    case 'Q': set_general(g, at); break;
    case 'H':
    case 'T': answer(g, "OK"); break;
    case 'D':
        answer(g, "OK");
        detach(g);
        break;
    case 'k': machine_quit(g->m, 0); break;
    default: break;
    }
}

static void packet_done(struct gdbstub *g)
{
    bool good = g->sum == g->said && !g->overlong;
    if (!g->no_ack)
        put(g, good ? "+" : "-", 1);
    if (!good)
        return;
    g->packet[g->len] = 0;
    text_clear(&g->out);
    /* the machine runs: only a break makes sense, and gdb knows that */
    if (g->running)
        return;
    obey(g, g->packet);
    if (!g->running && *g->packet != 'k')
        send_packet(g, g->out.data ? g->out.data : "", g->out.len);
}

static void receive_byte(struct gdbstub *g, u8 byte)
{
    if (g->trailer) {
        int digit = hex_digit((char)byte);
        g->said = (u8)(g->said << 4 | (digit < 0 ? 0 : digit));
        g->overlong |= digit < 0;
        if (!--g->trailer)
            packet_done(g);
    } else if (byte == '$') {
        g->in_packet = true;
        g->overlong = false;
        g->len = g->sum = 0;
    } else if (byte == '#' && g->in_packet) {
        g->in_packet = false;
        g->trailer = 2;
    } else if (g->in_packet) {
        g->sum += byte;
        if (g->len + 1 < sizeof g->packet && byte)
            g->packet[g->len++] = (char)byte;
        else
            g->overlong = true;
    } else if (byte == CTRL_C && !machine_paused(g->m)) {
        machine_stop(g->m, &(struct pause){.reason = PAUSE_USER});
    }
}

void gdbstub_receive(struct gdbstub *g, const u8 *data, size_t n)
{
    for (; n; n--)
        receive_byte(g, *data++);
}

/* The socket */

static size_t client_room(void *dev)
{
    (void)dev;
    return PACKET_MAX;
}

static void client_receive(void *dev, const u8 *data, size_t n)
{
    gdbstub_receive(dev, data, n);
}

static void client_connected(void *dev, bool connected)
{
    struct gdbstub *g = dev;
    g->no_ack = g->in_packet = g->running = false;
    g->trailer = 0;
    if (connected && !machine_paused(g->m))
        machine_stop(g->m, &(struct pause){.reason = PAUSE_USER});
    else if (!connected)
        detach(g);
}

struct gdbstub *gdbstub_new(struct machine *m, struct monitor *mon, struct chardev *dev)
{
    static const struct chardev_client client = {client_room, client_receive, client_connected};
    struct gdbstub *g = xcalloc(1, sizeof *g);
    g->m = m;
    g->cpu = machine_cpu(m);
    g->mon = mon;
    g->dev = dev;
    chardev_attach(dev, &client, g);
    return g;
}

void gdbstub_free(struct gdbstub *g)
{
    if (!g)
        return;
    text_free(&g->out);
    free(g);
}
