/* The instruction fuzzer: sequences of random instructions, made while the interpreter executes
 * them, then run by the host CPU and the translator; registers, flags, FPU state, memory and
 * exceptions must agree. */
/* SPDX-License-Identifier: MIT */
#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "tests/fuzz/fuzz.h"

enum {
    FIP_AT = 8,    /* offset in the FXSAVE image */
    USED = 0x1000, /* bytes of the code region */
    POOL = 65536,
    LARGEST = 0x2000,
    COMPARED_FLAGS = FLAGS_ARITH | FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID
};

static const struct fuzz_family *const families[] = {&fuzz_integer, &fuzz_x87, &fuzz_mmx,
                                                     &fuzz_sse};

/* What is compared with the host. The translator runs a sequence twice: at first with nothing in
 * the TLB, then with all of it, and the FPU registers in the host. */
enum side { INTERPRETER, TRANSLATOR_COLD, TRANSLATOR, SIDES };
static const char *const side_names[SIDES] = {"interpreter", "translator (cold)", "translator"};

/* One run. */
struct run {
    struct fuzz_guest *guest;                /* the interpreter */
    struct fuzz_guest *translated;           /* the translator */
    enum side side;                          /* what is compared */
    bool low;                                /* the optional region is there */
    u64 seed;                                /* of the run */
    const struct fuzz_family *only;          /* the family asked for, or NULL */
    u8 pool[POOL + LARGEST];                 /* random memory contents */
    u8 memory[FUZZ_REGIONS][LARGEST];        /* what the regions start with */
    struct fuzz_state start;                 /* what the registers start with */
    const struct fuzz_family *family;        /* of this sequence */
    bool fast;                               /* specialised forms */
    unsigned count;                          /* instructions in it */
    u32 at[FUZZ_MAX_INSNS + 1];              /* where each is; the last: where it ends */
    u8 length[FUZZ_MAX_INSNS];               /* of each, as generated */
    struct fuzz_outcome guest_out, host_out; /* how it went */
    struct fuzz_outcome translated_out;      /* and with the translator */
    struct fuzz_state before;                /* of the interpreter: before its last instruction */
};

static const struct fuzz_region *code = &fuzz_regions[FUZZ_CODE];

/* The start */

static void fill_pool(struct run *r)
{
    struct fuzz f = {.random = r->seed};
    for (unsigned n = 0; n < sizeof r->pool; n += 4)
        store_le32(r->pool + n, fuzz_percent(&f, 60) ? fuzz_random(&f) : fuzz_value(&f));
}

static void start_state(struct run *r, struct fuzz *f)
{
    struct fuzz_state *s = &r->start;
    memset(s, 0, sizeof *s);
    for (unsigned n = 0; n < 8; n++)
        s->regs[n] = fuzz_value(f);
    if (fuzz_percent(f, 97)) {
        const struct fuzz_region *stack = &fuzz_regions[FUZZ_STACK];
        s->regs[RSP] = stack->base + 64 + fuzz_below(f, stack->size - 128);
        if (fuzz_percent(f, 90))
            s->regs[RSP] &= ~3u;
    }
    s->eip = code->base + fuzz_below(f, 16);
    s->eflags = 0x202 | (fuzz_random(f) & FLAGS_ARITH);
    if (fuzz_percent(f, 15))
        s->eflags |= FLAG_DF;
    if (fuzz_percent(f, 3))
        s->eflags |= FLAG_AC;
    if (fuzz_percent(f, 3))
        s->eflags |= FLAG_NT | FLAG_ID;
    store_le16(s->fx, 0x37f);
    store_le32(s->fx + 24, 0x1f80);
    for (unsigned n = FUZZ_DATA; n < FUZZ_REGIONS; n++)
        memcpy(r->memory[n], r->pool + (fuzz_below(f, POOL) & ~15u), fuzz_regions[n].size);
    f->now = s;
    if (r->family->start)
        r->family->start(f);
}

static bool present(const struct run *r, unsigned region)
{
    return region != FUZZ_CODE && (r->low || !fuzz_regions[region].optional);
}

static void load_guest(struct run *r, struct fuzz_guest *g)
{
    for (unsigned n = 0; n < FUZZ_REGIONS; n++)
        if (present(r, n))
            memcpy(fuzz_guest_region(g, n), r->memory[n], fuzz_regions[n].size);
    fuzz_guest_load(g, &r->start, r->family->fpu);
}

/* The interpreter runs the first `count` instructions. */
static void run_guest(struct run *r, unsigned count)
{
    load_guest(r, r->guest);
    r->guest_out = (struct fuzz_outcome){.vector = FUZZ_NO_VECTOR};
    for (unsigned n = 0; n < count && r->guest_out.vector == FUZZ_NO_VECTOR; n++) {
        fuzz_guest_store(r->guest, false, &r->before);
        fuzz_guest_step(r->guest, r->fast, &r->guest_out);
    }
}

/* Making a sequence */

static const u32 *stack_top(struct run *r, u32 esp)
{
    const struct fuzz_region *stack = &fuzz_regions[FUZZ_STACK];
    u32 at = esp - stack->base;
    bool inside = at < stack->size && !(at & 3);
    return inside ? (const u32 *)(const void *)(fuzz_guest_region(r->guest, FUZZ_STACK) + at)
                  : NULL;
}

static bool in_code(u32 eip)
{
    return eip >= code->base && eip < code->base + USED - 64;
}

/* A sanitizer keeps its own data there (on x86-64: the shadow of low memory), so that the host's
 * 32-bit code would find memory where the guest has none. */
static bool in_shadow(u32 address)
{
    bool sanitized = false;
#if defined(__SANITIZE_ADDRESS__)
    sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    sanitized = true;
#endif
#endif
    return sanitized && address >= 0x7fff8000 && address < 0x8fff7000;
}

/* The interpreter's last instruction; false if it is none. */
static bool last_insn(const struct run *r, struct insn *i)
{
    u32 at = r->before.eip - code->base;
    return r->count && at < USED &&
           decode(fuzz_guest_region(r->guest, FUZZ_CODE) + at, USED - at, MODE_32, i) == DECODE_OK;
}

/* Makes one instruction at EIP, and executes it. False when there can be no next one. */
static bool make_one(struct run *r, struct fuzz *f, struct fuzz_state *now)
{
    fuzz_guest_store(r->guest, false, now);
    f->length = 0;
    f->operand_size = f->address_size = f->locked = false;
    f->now = now;
    f->stack_top = stack_top(r, now->regs[RSP]);
    if (!in_code(now->eip) || r->count == FUZZ_MAX_INSNS)
        return false;
    r->family->emit(f);
    memcpy(fuzz_guest_region(r->guest, FUZZ_CODE) + (now->eip - code->base), f->insn, f->length);
    r->at[r->count] = now->eip;
    r->length[r->count++] = (u8)f->length;
    r->before = *now;
    fuzz_guest_step(r->guest, r->fast, &r->guest_out);
    struct insn i;
    bool known = last_insn(r, &i);
    if (known && fuzz_quirks_refuse(&i, now, r->guest, &r->guest_out)) {
        run_guest(r, --r->count);
        return false;
    }
    if (r->guest_out.vector == VEC_PF &&
        (r->guest_out.cr2 - code->base < code->size || in_shadow(r->guest_out.cr2)))
        run_guest(r, --r->count); /* it looked at its own code, which is not finished yet */
    return r->guest_out.vector == FUZZ_NO_VECTOR && !(known && fuzz_quirks_end(&i, now, r->guest));
}

static void make_sequence(struct run *r, u64 number)
{
    struct fuzz f = {.random = r->seed ^ number * 0xd1342543de82ef95, .low = r->low};
    struct fuzz_state now;
    u32 total = 0, n = 0;
    for (unsigned k = 0; k < ARRAY_LEN(families); k++)
        total += families[k]->weight;
    u32 pick = fuzz_below(&f, total);
    while (pick >= families[n]->weight)
        pick -= families[n++]->weight;
    r->family = r->only ? r->only : families[n];
    r->fast = fuzz_percent(&f, 50);
    r->count = 0;
    start_state(r, &f);
    memset(fuzz_guest_region(r->guest, FUZZ_CODE), 0xcc, USED);
    load_guest(r, r->guest);
    unsigned wanted = 1 + fuzz_below(&f, FUZZ_MAX_INSNS);
    while (r->count < wanted && make_one(r, &f, &now))
        continue;
}

/* Running it on both sides */

/* Puts the way out of the sequence where the interpreter has come to. */
static void put_exit(const struct run *r, u8 *code_page, const u8 *exit, unsigned size)
{
    u32 end = r->guest_out.state.eip - code->base;
    if (r->guest_out.vector == FUZZ_NO_VECTOR && end < USED - size)
        memcpy(code_page + end, exit, size);
}

static void run_host_once(struct run *r)
{
    for (unsigned n = 0; n < FUZZ_REGIONS; n++)
        if (present(r, n))
            memcpy(fuzz_host_region(n), r->memory[n], fuzz_regions[n].size);
    fuzz_host_run(&r->start, r->family->fpu, &r->host_out);
    if (r->host_out.vector == FUZZ_NO_VECTOR)
        r->host_out.state.eip = r->guest_out.state.eip;
}

/* Hosts whose FXSAVE leaves out the x87 pointers lose them when they run something else, too. */
static bool lost_fip(const struct run *r)
{
    return r->family->fpu && fuzz_quirk(QUIRK_FIP) && r->host_out.vector == FUZZ_NO_VECTOR &&
           load_le32(r->guest_out.state.fx + FIP_AT) && !load_le32(r->host_out.state.fx + FIP_AT);
}

/* The interpreter has just done it: takes its state, runs the host. */
static void run_host(struct run *r)
{
    enum { TRIALS = 5 };
    u8 *host_code = fuzz_host_region(FUZZ_CODE);
    struct insn i;
    fuzz_guest_store(r->guest, r->family->fpu, &r->guest_out.state);
    memcpy(host_code, fuzz_guest_region(r->guest, FUZZ_CODE), USED);
    put_exit(r, host_code, fuzz_host_exit, sizeof fuzz_host_exit);
    unsigned trial = 0;
    do
        run_host_once(r);
    while (lost_fip(r) && ++trial < TRIALS);
    if (r->family->fpu)
        fuzz_quirks_settle_fip(&r->guest_out, &r->host_out);
    if (last_insn(r, &i))
        fuzz_quirks_settle(&i, &r->before, r->guest, &r->guest_out, &r->host_out);
}

/* The interpreter has just done it: runs the translator, and selects it for comparison. False: it
 * cannot be compared. */
static bool run_translator(struct run *r, enum side side)
{
    static const u8 ud2[] = {0x0f, 0x0b};
    u8 *page = fuzz_guest_region(r->translated, FUZZ_CODE);
    bool cold = side == TRANSLATOR_COLD;
    r->side = side;
    memcpy(page, fuzz_guest_region(r->guest, FUZZ_CODE), USED);
    put_exit(r, page, ud2, sizeof ud2);
    if (cold)
        fuzz_guest_code(r->translated, true);
    load_guest(r, r->translated);
    u32 end = r->guest_out.vector == FUZZ_NO_VECTOR ? r->guest_out.state.eip : UINT32_MAX;
    bool done =
        fuzz_guest_run(r->translated, !cold && r->family->fpu, end, 1000, &r->translated_out);
    fuzz_guest_store(r->translated, r->family->fpu, &r->translated_out.state);
    return done;
}

/* Comparing */

static const struct fuzz_outcome *side_out(const struct run *r)
{
    return r->side == INTERPRETER ? &r->guest_out : &r->translated_out;
}

/* The fields of the FXSAVE image that count (SDM vol. 1, table 10-2). Not the last opcode and the
 * operand pointer, which newer CPUs keep of instructions with unmasked exceptions only. */
static const struct {
    const char *name; /* for people */
    u16 at, size;     /* bytes */
} fx_fields[] = {
    {"fcw", 0, 2},     {"fsw", 2, 2},     {"ftw", 4, 1},     {"fip", 8, 4},     {"mxcsr", 24, 4},
    {"st0", 32, 10},   {"st1", 48, 10},   {"st2", 64, 10},   {"st3", 80, 10},   {"st4", 96, 10},
    {"st5", 112, 10},  {"st6", 128, 10},  {"st7", 144, 10},  {"xmm0", 160, 16}, {"xmm1", 176, 16},
    {"xmm2", 192, 16}, {"xmm3", 208, 16}, {"xmm4", 224, 16}, {"xmm5", 240, 16}, {"xmm6", 256, 16},
    {"xmm7", 272, 16},
};
static const char *const reg_names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};

static void print_bytes(const u8 *p, unsigned n)
{
    while (n--)
        printf("%02x", p[n]);
}

static bool differ(bool tell, const char *name, u32 guest, u32 host)
{
    if (guest != host && tell)
        printf("  %-8s guest %08x, host %08x\n", name, guest, host);
    return guest != host;
}

static bool fx_differ(const struct run *r, bool tell)
{
    bool found = false;
    const u8 *guest = side_out(r)->state.fx, *host = r->host_out.state.fx;
    for (unsigned n = 0; n < ARRAY_LEN(fx_fields); n++) {
        unsigned at = fx_fields[n].at, size = fx_fields[n].size;
        if (!memcmp(guest + at, host + at, size))
            continue;
        if (at == FIP_AT && r->side != INTERPRETER)
            continue; /* translated code does not track it */
        found = true;
        if (!tell)
            continue;
        printf("  %-8s guest ", fx_fields[n].name);
        print_bytes(guest + at, size);
        printf(", host ");
        print_bytes(host + at, size);
        printf(", before ");
        print_bytes(r->start.fx + at, size);
        printf("\n");
    }
    return found;
}

static bool memory_differs(const struct run *r, unsigned region, bool tell)
{
    const u8 *guest = fuzz_guest_region(r->side == INTERPRETER ? r->guest : r->translated, region);
    const u8 *host = fuzz_host_region(region);
    u32 size = fuzz_regions[region].size, told = 0;
    if (!memcmp(guest, host, size))
        return false;
    for (u32 n = 0; tell && n < size && told < 16; n++) {
        if (guest[n] == host[n])
            continue;
        printf("  [%08x] guest %02x, host %02x, before %02x\n", fuzz_regions[region].base + n,
               guest[n], host[n], r->memory[region][n]);
        told++;
    }
    return true;
}

static bool outcomes_differ(const struct run *r, bool tell)
{
    const struct fuzz_outcome *g = side_out(r), *h = &r->host_out;
    bool found = differ(tell, "vector", (u32)g->vector, (u32)h->vector);
    found |= differ(tell, "error", g->error, h->error);
    found |= differ(tell, "cr2", g->cr2, h->cr2);
    found |= differ(tell, "eip", g->state.eip, h->state.eip);
    for (unsigned n = 0; n < 8; n++)
        found |= differ(tell, reg_names[n], g->state.regs[n], h->state.regs[n]);
    found |=
        differ(tell, "eflags", g->state.eflags & COMPARED_FLAGS, h->state.eflags & COMPARED_FLAGS);
    if (r->family->fpu)
        found |= fx_differ(r, tell);
    for (unsigned n = 0; n < FUZZ_REGIONS; n++)
        if (present(r, n))
            found |= memory_differs(r, n, tell);
    return found;
}

/* Telling */

static void disassemble(const struct run *r, unsigned n)
{
    const u8 *bytes = fuzz_guest_region(r->guest, FUZZ_CODE) + (r->at[n] - code->base);
    csh handle;
    cs_insn *insn;
    printf("  %08x  ", r->at[n]);
    for (unsigned k = 0; k < 12; k++)
        printf(k < r->length[n] ? "%02x" : "  ", bytes[k]);
    if (cs_open(CS_ARCH_X86, CS_MODE_32, &handle) == CS_ERR_OK) {
        size_t count = cs_disasm(handle, bytes, r->length[n], r->at[n], 1, &insn);
        printf("  %s %s", count ? insn->mnemonic : "(bad)", count ? insn->op_str : "");
        if (count)
            cs_free(insn, count);
        cs_close(&handle);
    }
    printf("\n");
}

static void print_state(const struct fuzz_state *s)
{
    printf("before it:");
    for (unsigned n = 0; n < 8; n++)
        printf(" %s %08x", reg_names[n], s->regs[n]);
    printf(" eflags %08x\n", s->eflags);
}

static bool differs_after(struct run *r, unsigned count, enum side side, bool tell)
{
    run_guest(r, count);
    run_host(r);
    r->side = INTERPRETER;
    if (side != INTERPRETER)
        run_translator(r, TRANSLATOR_COLD);
    if (side == TRANSLATOR)
        run_translator(r, TRANSLATOR);
    return outcomes_differ(r, tell);
}

/* Finds the first instruction after which the sides differ, and shows it with what goes before. */
static void report(struct run *r, u64 number)
{
    enum side side = r->side;
    struct fuzz_state before = r->start;
    unsigned n = 1;
    for (; n < r->count; n++) {
        if (differs_after(r, n, side, false))
            break;
        before = r->guest_out.state;
    }
    differs_after(r, n, side, false);
    printf("sequence %llu (%s, %s, %s forms): differs after instruction %u\n",
           (unsigned long long)number, side_names[side], r->family->name,
           r->fast ? "specialised" : "generic", n);
    for (unsigned k = 0; k < n; k++)
        disassemble(r, k);
    print_state(&before);
    outcomes_differ(r, true);
    printf("again: fuzz_insn -seed %llu -from %llu -n 1%s%s\n", (unsigned long long)r->seed,
           (unsigned long long)number, r->only ? " -family " : "", r->only ? r->only->name : "");
}

/* The command line */

struct options {
    u64 seed, from, count; /* random seed, first sequence, how many (0: until one differs) */
    u64 failures;          /* how many to show before giving up */
    const char *family;    /* or NULL */
};

static int usage(void)
{
    fprintf(stderr, "usage: fuzz_insn [-seed S] [-from SEQUENCE] [-n COUNT, 0: endless] "
                    "[-family NAME] [-failures COUNT]\nfamilies:");
    for (unsigned n = 0; n < ARRAY_LEN(families); n++)
        fprintf(stderr, " %s", families[n]->name);
    fprintf(stderr, "\n");
    return 1;
}

static bool parse(int argc, char **argv, struct options *o)
{
    for (int n = 1; n < argc; n += 2) {
        u64 *number = !strcmp(argv[n], "-seed")       ? &o->seed
                      : !strcmp(argv[n], "-from")     ? &o->from
                      : !strcmp(argv[n], "-n")        ? &o->count
                      : !strcmp(argv[n], "-failures") ? &o->failures
                                                      : NULL;
        if (n + 1 == argc)
            return false;
        if (number)
            *number = strtoull(argv[n + 1], NULL, 0);
        else if (!strcmp(argv[n], "-family"))
            o->family = argv[n + 1];
        else
            return false;
    }
    return true;
}

/* The sides one after the other; r->side is then the one that differs. */
static bool any_differs(struct run *r)
{
    r->side = INTERPRETER;
    if (outcomes_differ(r, false))
        return true;
    for (enum side side = TRANSLATOR_COLD; side < SIDES; side++) {
        if (!run_translator(r, side))
            break;
        if (outcomes_differ(r, false))
            return true;
    }
    return false;
}

static u64 fuzz(struct run *r, const struct options *o)
{
    u64 failed = 0;
    for (u64 n = o->from; !o->count || n < o->from + o->count; n++) {
        make_sequence(r, n);
        if (r->guest_out.vector == VEC_PF && fuzz_host_owns(r->guest_out.cr2))
            continue;
        if (r->family->fpu)
            fuzz_guest_store(r->guest, true, &r->guest_out.state);
        run_host(r);
        if (any_differs(r)) {
            report(r, n);
            if (++failed >= o->failures)
                break;
        }
        if (!o->count && n % 1000000 == 999999)
            printf("%llu sequences\n", (unsigned long long)(n + 1 - o->from));
        fflush(stdout);
    }
    return failed;
}

int main(int argc, char **argv)
{
    struct options o = {.seed = 1, .count = 200000, .failures = 1};
    static struct run r;
    char why[256];
    if (!parse(argc, argv, &o))
        return usage();
    for (unsigned n = 0; n < ARRAY_LEN(families); n++)
        if (o.family && !strcmp(o.family, families[n]->name))
            r.only = families[n];
    if (o.family && !r.only)
        return usage();
    if (!fuzz_host_init(&r.low, why)) {
        printf("%s\n", why);
        return 77;
    }
    fuzz_quirks_measure();
    r.seed = o.seed;
    r.guest = fuzz_guest_new(r.low, FUZZ_STEPPED);
    r.translated = fuzz_guest_new(r.low, FUZZ_TRANSLATED);
    fill_pool(&r);
    u64 failed = fuzz(&r, &o);
    printf("%llu sequences from seed %llu: %llu differ\n", (unsigned long long)o.count,
           (unsigned long long)o.seed, (unsigned long long)failed);
    fuzz_quirks_print();
    fuzz_guest_free(r.guest);
    fuzz_guest_free(r.translated);
    return failed != 0;
}
