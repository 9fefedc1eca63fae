/* Runs self-checking user-mode tests (expect.h) on the interpreter, by its generic and by its
 * specialised forms, and on the host CPU. */
/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* expect.h */
enum {
    EXIT_AT = 8,         /* in the code region */
    CONTROL_AT = 0x1f00, /* in the data region: the words that follow */
    LINE = 0,
    RESUME = 4,
    VECTOR = 8,
    ERROR = 12,
    CR2 = 16,
    EIP = 20,
    KEPT = 28,
    MAX_STEPS = 1000000, /* a test that takes more hangs */
    MAX_FAULTS = 1000,
};

/* Who executes the test. */
enum side { GENERIC, SPECIALISED, HOST, SIDES };
static const char *const side_names[SIDES] = {"interpreter, generic forms",
                                              "interpreter, specialised forms", "host"};

struct runner {
    struct fuzz_guest *guest; /* the interpreter */
    const char *no_host;      /* why the host cannot run them, or NULL */
    u8 image[0x4000];         /* the test's bytes */
    size_t size;              /* how many */
};

static bool read_image(struct runner *r, const char *name)
{
    FILE *f = fopen(name, "rb");
    if (!f)
        return false;
    memset(r->image, 0xcc, sizeof r->image);
    r->size = fread(r->image, 1, sizeof r->image, f);
    fclose(f);
    return r->size > EXIT_AT + sizeof fuzz_host_exit;
}

static u8 *region(const struct runner *r, enum side side, unsigned n)
{
    return side == HOST ? fuzz_host_region(n) : fuzz_guest_region(r->guest, n);
}

/* Runs from *s until the way out or an exception. */
static void go(struct runner *r, enum side side, const struct fuzz_state *s,
               struct fuzz_outcome *out)
{
    const u32 end = fuzz_regions[FUZZ_CODE].base + EXIT_AT;
    if (side == HOST) {
        fuzz_host_run(s, true, out);
        return;
    }
    fuzz_guest_load(r->guest, s, true);
    struct fuzz_state now = {.eip = s->eip};
    out->vector = FUZZ_NO_VECTOR;
    for (unsigned n = 0; n < MAX_STEPS && now.eip != end && out->vector == FUZZ_NO_VECTOR; n++) {
        fuzz_guest_step(r->guest, side == SPECIALISED, out);
        fuzz_guest_store(r->guest, false, &now);
    }
    fuzz_guest_store(r->guest, true, &out->state);
}

/* Hands an exception to the test: false if it did not expect one. */
static bool resume(u8 *control, struct fuzz_outcome *out)
{
    u32 to = load_le32(control + RESUME);
    store_le32(control + VECTOR, (u32)out->vector);
    store_le32(control + ERROR, out->error);
    store_le32(control + CR2, out->cr2);
    store_le32(control + EIP, out->state.eip);
    store_le32(control + RESUME, 0);
    out->state.eip = to;
    out->state.eflags &= ~(u32)(FLAG_TF | FLAG_RF);
    return to != 0;
}

/* Returns 0, the line that failed, or -1 with the exception told. */
static int run_test(struct runner *r, enum side side)
{
    struct fuzz_state s = {.eip = fuzz_regions[FUZZ_CODE].base, .eflags = 0x202};
    struct fuzz_outcome out = {.vector = FUZZ_NO_VECTOR};
    u8 *control = region(r, side, FUZZ_DATA) + CONTROL_AT;
    memcpy(region(r, side, FUZZ_CODE), r->image, sizeof r->image);
    if (side == HOST)
        memcpy(region(r, side, FUZZ_CODE) + EXIT_AT, fuzz_host_exit, sizeof fuzz_host_exit);
    for (unsigned n = FUZZ_DATA; n <= FUZZ_STACK; n++)
        memset(region(r, side, n), 0, fuzz_regions[n].size);
    store_le32(control + KEPT, side == HOST && fuzz_quirk(QUIRK_STRING_FLAGS) ? 0 : FLAGS_ARITH);
    store_le16(s.fx, 0x37f);
    store_le32(s.fx + 24, 0x1f80);
    for (unsigned n = 0; n < MAX_FAULTS; n++) {
        go(r, side, &s, &out);
        if (out.vector == FUZZ_NO_VECTOR)
            return (int)out.state.regs[RAX];
        if (!resume(control, &out))
            break;
        s = out.state;
    }
    printf("  exception %d at 0x%x, after line %u\n", out.vector, load_le32(control + EIP),
           load_le32(control + LINE));
    return -1;
}

static bool passes(struct runner *r, const char *name, enum side side)
{
    int line = run_test(r, side);
    if (line > 0)
        printf("%s: line %d fails (%s)\n", name, line, side_names[side]);
    else if (line < 0)
        printf("%s: unexpected exception (%s)\n", name, side_names[side]);
    return line == 0;
}

int main(int argc, char **argv)
{
    static struct runner r;
    static char why[256];
    bool low;
    unsigned checks = 0, failures = 0;
    if (!fuzz_host_init(&low, why))
        r.no_host = why;
    r.guest = fuzz_guest_new(low, FUZZ_STEPPED);
    fuzz_host_catch(); /* the interpreter takes SIGFPE when it is created */
    if (!r.no_host)
        fuzz_quirks_measure();
    for (int n = 1; n < argc; n++) {
        if (!read_image(&r, argv[n])) {
            fprintf(stderr, "%s: cannot be read, or is no test\n", argv[n]);
            return 1;
        }
        for (unsigned side = 0; side < SIDES; side++) {
            if (side == HOST && r.no_host)
                continue;
            checks++;
            failures += !passes(&r, argv[n], side);
        }
    }
    fuzz_guest_free(r.guest);
    if (r.no_host)
        printf("not on the host: %s\n", r.no_host);
    else if (fuzz_quirk(QUIRK_STRING_FLAGS))
        printf("not on this host: flags of a REP SCAS that faults\n");
    printf("user-mode instructions: Checks: %u, Failures: %u, Errors: 0\n", checks, failures);
    return failures != 0;
}
