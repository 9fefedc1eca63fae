/* Hostile and interrupted qcow2 images.
 *   fuzz_qcow2 mutate SEED N   damages images at random and does with them all that a guest or the
 *                              image tool can: nothing may crash, hang or write outside the image
 *   fuzz_qcow2 kill SEED N     kills a writer with SIGKILL: no errors in the image, and everything
 *                              that had been flushed is there
 * N = 0 goes on for ever. */
/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hw/image/file.h"
#include "hw/image/image.h"
#include "hw/image/qcow2.h"

enum { SECTORS = 2048, CLUSTER_BITS = 10, HANG_SECONDS = 60, MAX_FILE = 512 << 20 };

static u64 rnd(u64 *state, u64 below)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (*state >> 20) % below;
}

static struct image *make(const char *path, unsigned bits, struct error *err)
{
    const struct qcow2_create how = {.size = SECTORS * 512, .cluster_bits = bits};
    int fd = file_create(path, true, err);
    if (fd < 0 || !qcow2_create(fd, path, &how, err))
        die("%s", err->text);
    close(fd);
    struct image *img = image_open(path, "qcow2", 0, err);
    if (!img)
        die("%s", err->text);
    return img;
}

/* Damage */

static void traffic(struct image *img, u64 *state, unsigned steps)
{
    static u8 buf[64 * 512];
    for (unsigned n = 0; n < steps; n++) {
        u32 count = (u32)rnd(state, 64) + 1;
        if (img->sectors < count)
            return;
        u64 sector = rnd(state, img->sectors - count + 1);
        switch (rnd(state, 6)) {
        case 0: image_discard(img, sector, count); break;
        case 1: image_read(img, sector, buf, count); break;
        case 2: image_flush(img); break;
        case 3: image_extent(img, sector, count, &count); break;
        default: memset(buf, (int)n, sizeof buf); image_write(img, sector, buf, count);
        }
    }
}

/* A valid image with data, compressed data and free clusters. */
static void make_victim(const char *path, u64 *state)
{
    struct error err = {""};
    u8 cluster[1 << CLUSTER_BITS] = {1};
    struct image *img = make(path, CLUSTER_BITS, &err);
    for (u32 n = 0; n < 20; n++)
        qcow2_write_compressed(img, n * sizeof cluster / 512, cluster);
    traffic(img, state, 40);
    image_close(img);
}

/* Changes what matters most: header fields, and entries of tables to places of interest. */
static void damage(const char *path, u64 *state)
{
    int fd = open(path, O_RDWR);
    off_t size = lseek(fd, 0, SEEK_END);
    for (u64 n = rnd(state, 4) + 1; n > 0; n--) {
        u64 at = rnd(state, 2) ? rnd(state, 14) * 8 : rnd(state, (u64)size / 8) * 8, value;
        u64 cluster = rnd(state, (u64)size >> CLUSTER_BITS) << CLUSTER_BITS;
        switch (rnd(state, 5)) {
        case 0: value = rnd(state, 1ull << 40) * rnd(state, 1ull << 24); break;
        case 1: value = BIT64(rnd(state, 64)); break;
        case 2: value = cluster; break;
        case 3: value = cluster | BIT64(63); break;
        default: value = rnd(state, 1024);
        }
        u8 raw[8];
        store_le64(raw, __builtin_bswap64(value));
        file_write(fd, at, raw, rnd(state, 2) ? 8 : 4);
    }
    if (rnd(state, 8) == 0 && ftruncate(fd, (off_t)rnd(state, (u64)size + 1)) < 0)
        die("cannot cut the image short");
    close(fd);
}

static void use(const char *path, u64 *state)
{
    struct error err = {""};
    struct qcow2_report report;
    static const unsigned flags[] = {0, 0, IMAGE_READ_ONLY, IMAGE_SNAPSHOT, IMAGE_REPAIR};
    unsigned how = flags[rnd(state, ARRAY_LEN(flags))];
    struct image *img = image_open(path, rnd(state, 2) ? "qcow2" : NULL, how, &err);
    if (!img)
        return;
    bool qcow2 = qcow2_is(img);
    if (qcow2 && (how == IMAGE_REPAIR || rnd(state, 4) == 0))
        qcow2_check(img, (enum qcow2_repair)rnd(state, 3), &report, NULL, NULL);
    traffic(img, state, 40);
    if (qcow2 && !img->read_only && rnd(state, 4) == 0)
        qcow2_resize(img, rnd(state, 4096) * 512, &err);
    if (qcow2 && !img->read_only && rnd(state, 8) == 0)
        qcow2_empty(img);
    traffic(img, state, 5);
    image_close(img);
}

static int mutate(const char *path, u64 seed, u64 count)
{
    for (u64 n = 0; !count || n < count; n++) {
        u64 state = seed + n;
        struct stat st;
        alarm(HANG_SECONDS);
        fprintf(stderr, "\rseed %llu ", (unsigned long long)state);
        make_victim(path, &state);
        damage(path, &state);
        use(path, &state);
        use(path, &state);
        if (stat(path, &st) || st.st_blocks * 512 > MAX_FILE)
            die("the image has grown to %lld bytes on disk", (long long)st.st_blocks * 512);
    }
    fputc('\n', stderr);
    return 0;
}

/* Killing: the writer notes in shared memory what it has written and what it has flushed. */

struct notes {
    u32 stamp;            /* the last one used */
    u32 written[SECTORS]; /* the last stamp that was, or is being, written to each sector */
    u32 flushed[SECTORS]; /* the stamp that it had at the last flush that ended */
};

static void writer(const char *path, u64 state, struct notes *notes)
{
    static u8 buf[32 * 512];
    static u32 done[SECTORS];
    struct error err = {""};
    struct image *img = image_open(path, "qcow2", 0, &err);
    if (!img)
        die("%s", err.text);
    memcpy(done, notes->flushed, sizeof done);
    for (;;) {
        u32 stamp = ++notes->stamp;
        u32 count = (u32)rnd(&state, 32) + 1, sector = (u32)rnd(&state, SECTORS - count);
        for (u32 n = 0; n < count; n++) {
            store_le32(buf + n * 512, stamp);
            notes->written[sector + n] = done[sector + n] = stamp;
        }
        if (image_write(img, sector, buf, count))
            die("a write failed");
        if (rnd(&state, 8) == 0 && !image_flush(img))
            memcpy(notes->flushed, done, sizeof done);
    }
}

static u64 leaks; /* how many images had lost clusters after a kill */

/* Each sector holds at least what was flushed, at most what was written. */
static void look(const char *path, struct notes *notes)
{
    u8 buf[512];
    struct error err = {""};
    struct qcow2_report report;
    struct image *img = image_open(path, "qcow2", IMAGE_READ_ONLY, &err);
    if (!img)
        die("%s", err.text);
    if (qcow2_check(img, QCOW2_REPAIR_NONE, &report, NULL, NULL) || report.damaged)
        die("the image is damaged: %s", report.first);
    image_close(img);
    leaks += report.leaked != 0;
    img = image_open(path, "qcow2", 0, &err); /* what was lost is found by the next writer */
    if (!img)
        die("%s", err.text);
    if (qcow2_check(img, QCOW2_REPAIR_NONE, &report, NULL, NULL) || report.damaged || report.leaked)
        die("the image was not mended: %s", report.first);
    for (u32 n = 0; n < SECTORS; n++) {
        image_read(img, n, buf, 1);
        u32 stamp = load_le32(buf);
        if (stamp < notes->flushed[n] || stamp > notes->written[n])
            die("sector %u holds %u: %u was flushed, %u written", n, stamp, notes->flushed[n],
                notes->written[n]);
        notes->flushed[n] = stamp; /* it is there now, and stays */
    }
    image_close(img);
}

static int kill_writers(const char *path, u64 seed, u64 count)
{
    struct error err = {""};
    struct notes *notes =
        mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (u64 n = 0; !count || n < count; n++) {
        u64 state = seed + n;
        if (n % 8 == 0) { /* a new image now and then, as filling it is when most happens */
            memset(notes, 0, sizeof *notes);
            image_close(make(path, 9 + (unsigned)rnd(&state, 4), &err));
        }
        fflush(NULL);
        pid_t child = fork();
        if (!child) {
            writer(path, state, notes);
            _exit(1);
        }
        struct timespec t = {0, (long)rnd(&state, 20000000) + 1000000};
        nanosleep(&t, NULL);
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        if (!WIFSIGNALED(status))
            return 1;
        look(path, notes);
    }
    printf("%llu killed, %llu of them had lost clusters\n", (unsigned long long)count,
           (unsigned long long)leaks);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        die("usage: fuzz_qcow2 mutate|kill SEED N");
    /* In memory where possible: each flush of a file on disk takes milliseconds. */
    char *path = xstrdup("/dev/shm/prescient-fuzz-qcow2-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) {
        strcpy(path, "/tmp/prescient-fuzz-qcow2-XXXXXX");
        fd = mkstemp(path);
    }
    close(fd);
    u64 seed = strtoull(argv[2], NULL, 0), count = strtoull(argv[3], NULL, 0);
    bool killing = !strcmp(argv[1], "kill");
    int status = killing ? kill_writers(path, seed, count) : mutate(path, seed, count);
    unlink(path);
    free(path);
    return status;
}
