/* The profiler: samples of instruction pointers and call stacks by virtual time, and counts of what
 * made the emulator leave the guest's code, both by guest function. */
/* SPDX-License-Identifier: MIT */
#include "frontend/profile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/breakpoint.h"
#include "frontend/callchain.h"
#include "frontend/option_value.h"
#include "translate/observe.h"

enum { DEPTH_MAX = 48, PERIOD_US = 1000, SAMPLES_MAX = 1 << 24, NAME_SIZE = 128, TOP = 25 };

/* Where the machine was found when a sample fell due. */
enum where { WHERE_IDLE, WHERE_INTERPRETED, WHERE_CHECKED, WHERE_DIRECT, WHERE_EMULATOR, WHERES };
static const char *const where_names[WHERES] = {"[idle]", "[interpreted]", "[translated]",
                                                "[direct]", "[emulator]"};

/* What made the emulator leave the guest's code. */
enum cost { COST_CALLOUT, COST_WALK, COST_EVENT, COST_PORT, COST_DEVICE, COST_TRANSLATE, COSTS };
static const char *const cost_names[COSTS] = {"callouts", "walks",   "events",
                                              "ports",    "devices", "translated"};

/* Counts at one address. */
struct spot {
    u64 lin;         /* address; valid when any count is */
    bool used;       /* the entry is taken */
    u64 cost[COSTS]; /* by enum cost */
    u64 samples;     /* whose innermost function it is */
};

struct spots {
    struct spot *all; /* hash table by address */
    size_t size;      /* entries, a power of two */
    size_t count;     /* taken */
};

struct profile {
    struct hook hook;         /* on the CPU */
    struct observer observer; /* of the translator */
    struct cpu *cpu;          /* whose life it is */
    struct symbols *symbols;  /* names */
    FILE *file;               /* where to */
    struct timer timer;       /* the next sample */
    u64 period;               /* ns of virtual time between two */
    enum where where;         /* what the last signal found */
    u32 lin;                  /* the guest instruction that it found */
    bool found;               /* the two are valid */
    /* each: number of addresses | where << 8 | user << 16 | number of the kernel's before user
     * code's << 17, then addresses, innermost first */
    u32 *sample;
    size_t used, room;  /* words of sample */
    u64 samples;        /* how many */
    u64 at[WHERES];     /* of them, by enum where */
    struct spots spots; /* counts */
};

/* Counts */

static struct spot *spot_find(struct spots *s, u64 lin)
{
    size_t n = (lin * 0x9e3779b97f4a7c15ull >> 32) & (s->size - 1);
    while (s->all[n].used && s->all[n].lin != lin)
        n = (n + 1) & (s->size - 1);
    return &s->all[n];
}

static void spots_grow(struct spots *s)
{
    struct spots old = *s;
    s->size = old.size ? 2 * old.size : 1024;
    s->all = xcalloc(s->size, sizeof *s->all);
    for (size_t n = 0; n < old.size; n++)
        if (old.all[n].used)
            *spot_find(s, old.all[n].lin) = old.all[n];
    free(old.all);
}

static struct spot *spot_at(struct spots *s, u64 lin)
{
    if (2 * s->count >= s->size)
        spots_grow(s);
    struct spot *spot = spot_find(s, lin);
    s->count += !spot->used;
    spot->used = true;
    spot->lin = lin;
    return spot;
}

static void charge(struct profile *p, u64 lin, enum cost cost)
{
    spot_at(&p->spots, lin)->cost[cost]++;
}

static u64 here(const struct cpu *cpu)
{
    u64 back = cpu->cur ? cpu->cur->len : 0;
    return (u32)(cpu->seg[SEG_CS].base + cpu->rip - back);
}

static void on_walked(struct hook *h, struct cpu *cpu, u64 lin, enum access access, bool ok)
{
    (void)lin, (void)access, (void)ok;
    charge(container_of(h, struct profile, hook), here(cpu), COST_WALK);
}

static void on_event(struct hook *h, struct cpu *cpu, unsigned vector, const struct fault *fault)
{
    (void)vector, (void)fault;
    charge(container_of(h, struct profile, hook), here(cpu), COST_EVENT);
}

static void on_port(struct hook *h, struct cpu *cpu, u16 port, unsigned size, u32 value, bool write)
{
    (void)port, (void)size, (void)value, (void)write;
    charge(container_of(h, struct profile, hook), here(cpu), COST_PORT);
}

static void on_device(struct hook *h, struct cpu *cpu, u64 pa, unsigned size, u64 value, bool write)
{
    (void)pa, (void)size, (void)value, (void)write;
    charge(container_of(h, struct profile, hook), here(cpu), COST_DEVICE);
}

static void on_callout(void *opaque, u32 lin, const char *verdict)
{
    (void)verdict;
    charge(opaque, lin, COST_CALLOUT);
}

static void on_translated(void *opaque, const struct observed *b)
{
    struct profile *p = opaque;
    spot_at(&p->spots, b->lin)->cost[COST_TRANSLATE] += b->count;
}

/* In a signal handler. */
static void on_interrupted(struct hook *h, struct cpu *cpu, const void *context)
{
    static const enum where where[] = {
        [PLACE_CHECKED] = WHERE_CHECKED, [PLACE_DIRECT] = WHERE_DIRECT};
    struct profile *p = container_of(h, struct profile, hook);
    u32 lin = 0;
    enum translate_place place = translate_interrupted(cpu, context, &lin);
    p->where = place != PLACE_C ? where[place] : cpu->block ? WHERE_INTERPRETED : WHERE_EMULATOR;
    p->lin = lin;
    p->found = true;
}

/* Samples */

/* The calls that led here, to words[2] on. Returns how many, and in *kernel how many of them are
 * the kernel's when user code's follow; else 0. */
static unsigned take_calls(struct cpu *cpu, u32 *words, unsigned *kernel)
{
    struct call call[DEPTH_MAX];
    unsigned count = callchain(cpu, false, call, DEPTH_MAX);
    *kernel = 0;
    for (unsigned n = 0; n < count; n++) {
        words[2 + n] = call[n].at - (call[n].kind == CALL_RETURN); /* in the call, not behind it */
        if (call[n].kind == CALL_USER)
            *kernel = n + 1;
    }
    return count;
}

static void take_sample(void *opaque, u64 now)
{
    struct profile *p = opaque;
    struct cpu *cpu = p->cpu;
    u32 words[2 + DEPTH_MAX];
    enum where where = cpu->halted               ? WHERE_IDLE
                       : p->found                ? p->where
                       : cpu->translator == NULL ? WHERE_INTERPRETED
                                                 : WHERE_EMULATOR;
    timer_set(&p->timer, now + p->period);
    words[1] = !cpu->halted && p->found && p->lin ? p->lin : (u32)here(cpu);
    p->found = false;
    unsigned count = 1, kernel = 0;
    if (cpu->code_mode == MODE_32)
        count += take_calls(cpu, words, &kernel);
    words[0] = count | (u32)where << 8 | (cpu->cpl == 3 ? BIT(16) : 0) | kernel << 17;
    p->samples++;
    p->at[where]++;
    spot_at(&p->spots, words[1])->samples++;
    if (p->used + count + 1 > SAMPLES_MAX)
        return;
    if (p->used + count + 1 > p->room) {
        p->room = p->room ? 2 * p->room : 1 << 16;
        p->sample = xrealloc(p->sample, p->room * sizeof *p->sample);
    }
    memcpy(p->sample + p->used, words, (count + 1) * sizeof *words);
    p->used += count + 1;
}

/* Start and end */

static bool parse_spec(struct profile *p, char *spec, struct error *err)
{
    char *path = option_next_item(&spec), *item;
    p->period = PERIOD_US;
    while ((item = option_next_item(&spec))) {
        char *end = item;
        if (!strncmp(item, "period=", 7))
            p->period = strtoull(item + 7, &end, 10);
        if (end == item || *end || !p->period || p->period > 1000000)
            return error_set(err, "-profile: \"%s\" is not period=MICROSECONDS, 1 to 1000000",
                             item);
    }
    p->period *= 1000;
    p->file = fopen(path, "we");
    return p->file || error_set(err, "-profile %s: %s", path, strerror(errno));
}

struct profile *profile_new(struct cpu *cpu, struct symbols *symbols, const char *spec,
                            struct error *err)
{
    struct profile *p = xcalloc(1, sizeof *p);
    char *copy = xstrdup(spec);
    p->cpu = cpu;
    p->symbols = symbols;
    bool good = parse_spec(p, copy, err);
    free(copy);
    if (!good) {
        free(p);
        return NULL;
    }
    p->hook = (struct hook){.walked = on_walked,
                            .event = on_event,
                            .port = on_port,
                            .device = on_device,
                            .interrupted = on_interrupted};
    hook_add(cpu, &p->hook);
    p->observer =
        (struct observer){.translated = on_translated, .callout = on_callout, .opaque = p};
    if (cpu->translator)
        translate_observe(cpu, &p->observer);
    timer_init(&p->timer, cpu->clock, take_sample, p);
    timer_set(&p->timer, clock_now(cpu->clock) + p->period);
    return p;
}

/* The function that an address is in; without a symbol, its page. */
static const char *function_of(const struct profile *p, u64 lin, char buf[NAME_SIZE])
{
    u64 offset;
    const char *name = symbols_at(p->symbols, lin, &offset);
    if (name)
        snprintf(buf, NAME_SIZE, "%s", name);
    else
        snprintf(buf, NAME_SIZE, "[%08" PRIx64 "]", lin & PAGE_MASK);
    return buf;
}

static void ensure_symbols(struct profile *p)
{
    if (!symbols_count(p->symbols))
        symbols_add_linux(p->symbols, p->cpu->mem);
}

/* The top list */

struct line {
    char name[NAME_SIZE]; /* function */
    u64 samples;          /* in it */
    u64 cost[COSTS];      /* of it */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

static u64 weight(const struct line *l)
{
    u64 costs = 0;
    for (unsigned n = 0; n < COSTS; n++)
        costs += l->cost[n];
    return l->samples << 40 | (costs >> 40 ? BIT64(40) - 1 : costs);
}

static int by_weight(const void *a, const void *b)
{
    u64 x = weight(a), y = weight(b);
    return x < y ? 1 : x > y ? -1 : by_name(a, b);
}

/* A line for each function; how many. */
static size_t gather(struct profile *p, struct line *line)
{
    size_t count = 0, kept = 0;
    for (size_t n = 0; n < p->spots.size; n++) {
        const struct spot *s = &p->spots.all[n];
        if (!s->used)
            continue;
        function_of(p, s->lin, line[count].name);
        line[count].samples = s->samples;
        memcpy(line[count++].cost, s->cost, sizeof s->cost);
    }
    qsort(line, count, sizeof *line, by_name);
    for (size_t n = 0; n < count; n++) {
        if (kept && !strcmp(line[kept - 1].name, line[n].name)) {
            line[kept - 1].samples += line[n].samples;
            for (unsigned c = 0; c < COSTS; c++)
                line[kept - 1].cost[c] += line[n].cost[c];
        } else {
            line[kept++] = line[n];
        }
    }
    qsort(line, kept, sizeof *line, by_weight);
    return kept;
}

void profile_show(struct profile *p, struct text *out)
{
    struct line *line = xcalloc(p->spots.count + 1, sizeof *line);
    ensure_symbols(p);
    size_t count = gather(p, line);
    text_add(out, "%" PRIu64 " samples, one each %" PRIu64 " us:", p->samples, p->period / 1000);
    for (unsigned n = 0; n < WHERES; n++)
        text_add(out, " %s %" PRIu64 "%%", where_names[n],
                 p->samples ? p->at[n] * 100 / p->samples : 0);
    text_add(out, "\n samples");
    for (unsigned n = 0; n < COSTS; n++)
        text_add(out, " %10s", cost_names[n]);
    text_add(out, "  function\n");
    for (size_t n = 0; n < count && n < TOP; n++) {
        text_add(out, "%8" PRIu64, line[n].samples);
        for (unsigned c = 0; c < COSTS; c++)
            text_add(out, " %10" PRIu64, line[n].cost[c]);
        text_add(out, "  %s\n", line[n].name);
    }
    free(line);
}

/* The file */

/* "kernel;outer;inner;[translated]", "user;outer;kernel;inner;[translated]" */
static char *fold(const struct profile *p, const u32 *sample)
{
    struct text t = {0};
    char name[NAME_SIZE];
    unsigned kernel = sample[0] >> 17;
    text_add(&t, "%s", sample[0] >> 16 & 1 || kernel ? "user" : "kernel");
    for (unsigned n = sample[0] & 0xff; n; n--)
        text_add(&t, "%s;%s", n == kernel ? ";kernel" : "", function_of(p, sample[n], name));
    text_add(&t, ";%s", where_names[sample[0] >> 8 & 0xff]);
    return t.data;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void write_stacks(const struct profile *p)
{
    char **stack = xcalloc(p->samples + 1, sizeof *stack);
    size_t count = 0, same = 1;
    for (size_t at = 0; at < p->used; at += (p->sample[at] & 0xff) + 1)
        stack[count++] = fold(p, p->sample + at);
    qsort(stack, count, sizeof *stack, by_text);
    for (size_t n = 0; n < count; n++, same++) {
        if (n + 1 < count && !strcmp(stack[n], stack[n + 1]))
            continue;
        fprintf(p->file, "%s %zu\n", stack[n], same);
        same = 0;
    }
    for (size_t n = 0; n < count; n++)
        free(stack[n]);
    free(stack);
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    hook_remove(p->cpu, &p->hook);
    timer_cancel(&p->timer);
    ensure_symbols(p);
    write_stacks(p);
    if (fclose(p->file))
        log_line(NULL, "-profile: the file cannot be written");
    free(p->sample);
    free(p->spots.all);
    free(p);
}
