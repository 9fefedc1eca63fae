/* A folder as a FAT16 and FAT32 disk: what the guest sees of it, and what becomes of what the guest
 * writes, be it sound or not. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/image/fat_internal.h"
#include "tests/unit/suite.h"

static char base[64], folder[128];
static const char *const kinds[] = {"", "32:"};
static const char *kind; /* what stands before the folder */
static struct image *img;
static struct error err;

static const struct fat_shape *shape(void)
{
    return &container_of(img, struct fat, image)->shape;
}

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

/* The contents of a host file, or "-" if it is not there. */
static const char *got(const char *name)
{
    static char text[64 << 10];
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    if (!f)
        return "-";
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

static void attach(bool read_only)
{
    char spec[160];
    snprintf(spec, sizeof spec, "fat:%s%s", kind, folder);
    img = image_open(spec, NULL, read_only ? IMAGE_READ_ONLY : 0, &err);
    ck_assert_msg(img != NULL, "%s", err.text);
}

static void setup(void)
{
    strcpy(base, "/tmp/prescient-fat-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(folder, sizeof folder, "%s/folder", base);
    mkdir(folder, 0777);
    put("HELLO.TXT", "hello");
    put("A long name, in small letters.text", "long");
    char path[256];
    snprintf(path, sizeof path, "%s/SUB", folder);
    mkdir(path, 0777);
    put("SUB/DEEP", "deep");
    snprintf(path, sizeof path, "%s/link", folder);
    ck_assert_int_eq(symlink("/tmp", path), 0);
}

static void teardown(void)
{
    char command[160];
    image_close(img);
    img = NULL;
    snprintf(command, sizeof command, "rm -rf %s", base);
    ck_assert_int_eq(system(command), 0);
}

static u64 root_sector(void)
{
    return shape()->wide ? shape()->data : shape()->root;
}

/* Sectors of the root that tests look at. */
static u32 root_sectors(void)
{
    return shape()->wide ? shape()->cluster_sectors : FAT_ROOT_ENTRIES / 16;
}

static u32 cluster_of(const u8 *e)
{
    return load_le16(e + 26) | (u32)load_le16(e + 20) << 16;
}

/* The root's entry of this short name: its number. */
static unsigned entry_of(const char *name83, u8 root[FAT_ROOT_ENTRIES * FAT_ENTRY])
{
    ck_assert_int_eq(image_read(img, root_sector(), root, root_sectors()), 0);
    for (unsigned n = 0; n < root_sectors() * 16; n++)
        if (!memcmp(root + n * FAT_ENTRY, name83, 11) && root[n * FAT_ENTRY + 11] != ATTR_LONG)
            return n;
    ck_abort_msg("no entry %s", name83);
}

static u8 root[FAT_ROOT_ENTRIES * FAT_ENTRY];

static u8 *entry(const char *name83)
{
    return root + entry_of(name83, root) * FAT_ENTRY;
}

static void write_root(void)
{
    ck_assert_int_eq(image_write(img, root_sector(), root, root_sectors()), 0);
}

static u64 sector_of(u32 cluster)
{
    return fat_cluster_sector(container_of(img, struct fat, image), cluster);
}

static void link_clusters(u32 cluster, u32 next)
{
    u8 sector[SECTOR_SIZE];
    u32 entries = shape()->wide ? SECTOR_SIZE / 4 : SECTOR_SIZE / 2;
    for (unsigned n = 0; n < 2; n++) {
        u64 at = shape()->table + n * shape()->table_sectors + cluster / entries;
        ck_assert_int_eq(image_read(img, at, sector, 1), 0);
        fat_link(shape(), sector, cluster % entries, next);
        ck_assert_int_eq(image_write(img, at, sector, 1), 0);
    }
}

/* A new entry behind the others. */
static u8 *new_entry(const char *name83, u32 cluster, u32 size)
{
    unsigned n = 0;
    entry("HELLO   TXT");
    while (root[n * FAT_ENTRY])
        n++;
    u8 *e = root + n * FAT_ENTRY;
    memset(e, 0, FAT_ENTRY);
    memcpy(e, name83, 11);
    store_le16(e + 20, (u16)(cluster >> 16));
    store_le16(e + 26, (u16)cluster);
    store_le32(e + 28, size);
    store_le32(e + 22, 0x5a21u << 16);
    return e;
}

START_TEST(layout)
{
    kind = kinds[_i];
    u8 sector[SECTOR_SIZE];
    attach(true);
    ck_assert_int_eq(image_read(img, 0, sector, 1), 0);
    ck_assert_uint_eq(load_le16(sector + 510), 0xaa55);
    ck_assert_uint_eq(shape()->wide, _i == 1);
    ck_assert_uint_eq(sector[0x1c2], _i ? 12 : 6);
    ck_assert_uint_eq(load_le32(sector + 0x1c6), FAT_PARTITION);
    ck_assert_uint_eq(load_le32(sector + 0x1ca), img->sectors - FAT_PARTITION);
    ck_assert_int_eq(image_read(img, FAT_PARTITION, sector, 1), 0);
    ck_assert_uint_eq(sector[13], shape()->cluster_sectors);
    u8 *e = entry("HELLO   TXT");
    ck_assert_uint_eq(load_le32(e + 28), 5);
    ck_assert_int_eq(image_read(img, sector_of(cluster_of(e)), sector, 1), 0);
    ck_assert(!memcmp(sector, "hello\0", 6));
    e = entry("SUB        ");
    ck_assert_uint_eq(e[11], ATTR_DIRECTORY);
    ck_assert_int_eq(image_read(img, sector_of(cluster_of(e)), sector, 1), 0);
    ck_assert(!memcmp(sector, ".          ", 11));
    ck_assert(!memcmp(sector + 32, "..         ", 11));
    ck_assert(!memcmp(sector + 64, "DEEP       ", 11));
    unsigned parts = 0;
    for (unsigned n = 0; root[n * FAT_ENTRY]; n++)
        parts += root[n * FAT_ENTRY + 11] == ATTR_LONG;
    ck_assert_uint_eq(parts, 3); /* the long name only: no link */
    ck_assert_int_ne(image_write(img, root_sector(), root, 1), 0);
}
END_TEST

/* The disk is as large as the user wants, and FAT32 where a FAT16 would be too small. */
START_TEST(sizes)
{
    static const struct {
        const char *kind; /* before the folder */
        bool wide;        /* FAT32 */
        u64 least;        /* MiB that it has */
        u64 most;         /* MiB that it may have */
    } row[] = {{"", false, 256, 520},     {"16:", false, 256, 520},
               {"32:", true, 256, 300},   {"1000M:", false, 1000, 2048},
               {"3G:", true, 3072, 3100}, {"40G:", true, 40960, 41000}};
    for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
        kind = row[n].kind;
        attach(false);
        u64 mib = (u64)(shape()->clusters - 2) * shape()->cluster_sectors >> 11;
        ck_assert_uint_eq(shape()->wide, row[n].wide);
        ck_assert_msg(mib >= row[n].least && mib <= row[n].most, "%s: %d MiB", kind, (int)mib);
        image_close(img);
    }
    char path[256], spec[300];
    snprintf(path, sizeof path, "%s/large", folder);
    put("large", "");
    ck_assert_int_eq(truncate(path, 3ll << 30), 0); /* sparse; FAT16 ends at 2 GiB */
    kind = "";
    attach(false);
    ck_assert(shape()->wide);
    image_close(img);
    snprintf(spec, sizeof spec, "fat:16:%s", folder);
    ck_assert_ptr_null(img = image_open(spec, NULL, 0, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "FAT16"));
    ck_assert_int_eq(truncate(path, 4ll << 30), 0); /* too large for any FAT */
    ck_assert_ptr_null(img = image_open(spec, NULL, 0, &err));
}
END_TEST

START_TEST(locked)
{
    kind = kinds[_i];
    char spec[160];
    attach(false);
    snprintf(spec, sizeof spec, "fat:%s", folder);
    ck_assert_ptr_null(image_open(spec, NULL, 0, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "in use"));
    ck_assert_ptr_null(image_open("fat:/nowhere/at/all", NULL, 0, &err));
}
END_TEST

START_TEST(changed_data)
{
    kind = kinds[_i];
    u8 sector[SECTOR_SIZE] = "HOWDY";
    attach(false);
    u8 *e = entry("HELLO   TXT");
    ck_assert_int_eq(image_write(img, sector_of(cluster_of(e)), sector, 1), 0);
    ck_assert_str_eq(got("HELLO.TXT"), "hello"); /* not before it is flushed */
    ck_assert_int_eq(image_flush(img), 0);
    ck_assert_str_eq(got("HELLO.TXT"), "HOWDY");
    store_le32(e + 28, 3);
    write_root();
    ck_assert_int_eq(image_flush(img), 0);
    ck_assert_str_eq(got("HELLO.TXT"), "HOW");
}
END_TEST

START_TEST(new_renamed_and_removed)
{
    kind = kinds[_i];
    u8 sector[SECTOR_SIZE];
    attach(false);
    const u32 FAR = shape()->clusters - 1; /* which takes more than 16 bits in a FAT32 */
    u32 size = shape()->cluster_sectors * SECTOR_SIZE + 4;
    link_clusters(500, FAR); /* two clusters, not side by side */
    link_clusters(FAR, UINT32_MAX);
    memset(sector, 'x', sizeof sector);
    for (u64 n = 0; n < size / SECTOR_SIZE; n++)
        ck_assert_int_eq(image_write(img, sector_of(500) + n, sector, 1), 0);
    memcpy(sector, "last", 4);
    ck_assert_int_eq(image_write(img, sector_of(FAR), sector, 1), 0);
    new_entry("NEW     BIN", 500, size)[12] = 0x18; /* in small letters */
    write_root();
    memcpy(entry("HELLO   TXT"), "MOVED   TXT", 11);
    write_root();
    u8 *sub = entry("SUB        ");
    u64 in_sub = sector_of(cluster_of(sub));
    ck_assert_int_eq(image_flush(img), 0);
    ck_assert_uint_eq(strlen(got("new.bin")), size);
    ck_assert_str_eq(got("new.bin") + size - 5, "xlast");
    ck_assert_str_eq(got("HELLO.TXT"), "-");
    ck_assert_str_eq(got("MOVED.TXT"), "hello");
    ck_assert_str_eq(got("A long name, in small letters.text"), "long");
    ck_assert_int_eq(image_read(img, in_sub, sector, 1), 0);
    sector[64] = 0xe5;
    ck_assert_int_eq(image_write(img, in_sub, sector, 1), 0);
    ck_assert_int_eq(image_flush(img), 0);
    ck_assert_str_eq(got("SUB/DEEP"), "-");
    *entry("SUB        ") = 0xe5;
    write_root();
    image_close(img); /* which flushes */
    img = NULL;
    char path[256];
    snprintf(path, sizeof path, "%s/SUB", folder);
    ck_assert_int_ne(access(path, F_OK), 0);
    attach(true); /* and the next machine sees the same */
    entry("MOVED   TXT");
}
END_TEST

/* The guest writes data and directory first, and what links the clusters a while later. */
START_TEST(late_table)
{
    kind = kinds[_i];
    u8 sector[SECTOR_SIZE] = "first", second[SECTOR_SIZE] = "second";
    attach(false);
    u32 bytes = shape()->cluster_sectors * SECTOR_SIZE;
    ck_assert_int_eq(image_write(img, sector_of(500), sector, 1), 0);
    ck_assert_int_eq(image_write(img, sector_of(501), second, 1), 0);
    new_entry("NEW     BIN", 500, bytes + 6);
    write_root();
    ck_assert_int_eq(image_flush(img), 0);
    ck_assert_str_eq(got("NEW.BIN"), "-");
    link_clusters(500, 501);
    link_clusters(501, UINT32_MAX);
    ck_assert_int_eq(image_flush(img), 0);
    ck_assert_str_eq(got("NEW.BIN"), "first");
    ck_assert(!memcmp(got("NEW.BIN") + bytes, "second", 7));
}
END_TEST

/* Files that share clusters have no more of them together than the disk has: a guest cannot fill
 * the host with chains that go round in a circle. */
START_TEST(no_more_than_the_disk)
{
    kind = kinds[_i];
    attach(false);
    u32 bytes = shape()->cluster_sectors * SECTOR_SIZE, large = shape()->clusters - 1000;
    link_clusters(500, 500);
    link_clusters(501, UINT32_MAX);
    new_entry("LARGE   BIN", 0, large * bytes); /* no chain as yet: nothing is copied */
    write_root();
    new_entry("CIRCLE  BIN", 500, 1500 * bytes);
    write_root();
    new_entry("SMALL   BIN", 501, 3);
    write_root();
    ck_assert_int_eq(image_flush(img), 0);
    ck_assert_str_eq(got("LARGE.BIN"), "-");
    ck_assert_str_eq(got("CIRCLE.BIN"), "-");
    ck_assert_str_ne(got("SMALL.BIN"), "-");
    *entry("LARGE   BIN") = 0xe5; /* now there is room for it */
    write_root();
    ck_assert_int_eq(image_flush(img), 0);
    ck_assert_str_ne(got("CIRCLE.BIN"), "-");
    new_entry("HUGE    BIN", 500, (shape()->clusters + 1) * bytes); /* more than there is alone */
    write_root();
    ck_assert_int_eq(image_flush(img), 0);
    ck_assert_str_eq(got("HUGE.BIN"), "-");
}
END_TEST

START_TEST(nothing_leaves_the_folder)
{
    kind = kinds[_i];
    char path[256];
    attach(false);
    u8 *e = new_entry("X          ", 0, 0);
    static const char *const names[] = {"../evil", "/tmp/evil", "..", "a/b"};
    for (unsigned n = 0; n < ARRAY_LEN(names); n++, e += 2 * FAT_ENTRY) { /* as long names */
        static const u8 place[13] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
        memset(e, 0, 2 * FAT_ENTRY);
        memcpy(e + FAT_ENTRY, "X          ", 11);
        e[0] = 0x41;
        e[11] = ATTR_LONG;
        e[13] = fat_checksum(e + FAT_ENTRY);
        for (unsigned k = 0; k < 13 && k <= strlen(names[n]); k++)
            e[place[k]] = (u8)names[n][k];
    }
    memset(e, 0, FAT_ENTRY);
    memcpy(e, "DIR        ", 11); /* a folder that holds itself, one that goes nowhere */
    e[11] = ATTR_DIRECTORY;
    store_le16(e + 26, 900);
    link_clusters(900, 900);
    e += FAT_ENTRY;
    memcpy(e, "LINK       ", 11);
    memcpy(e, "link       ", 11); /* where the host has a link */
    e[11] = ATTR_DIRECTORY;
    store_le16(e + 26, 901);
    link_clusters(901, UINT32_MAX);
    u8 sector[SECTOR_SIZE] = "EVIL    TXT";
    ck_assert_int_eq(image_write(img, sector_of(901), sector, 1), 0);
    write_root();
    ck_assert_int_eq(image_flush(img), 0);
    snprintf(path, sizeof path, "%s/evil", base);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_ne(access("/tmp/evil", F_OK), 0);
    ck_assert_int_ne(access("/tmp/EVIL.TXT", F_OK), 0);
    ck_assert_str_eq(got("HELLO.TXT"), "hello");
}
END_TEST

START_TEST(random_metadata)
{
    kind = kinds[_i];
    u8 sector[SECTOR_SIZE];
    srand(3);
    attach(false);
    put("../outside", "safe");
    for (unsigned n = 0; n < 300; n++) {
        u64 at = (rand() % 2 ? root_sector() : shape()->table) + (u64)rand() % 2;
        ck_assert_int_eq(image_read(img, at, sector, 1), 0);
        for (unsigned k = 0; k < 8; k++)
            sector[rand() % SECTOR_SIZE] = (u8)rand();
        ck_assert_int_eq(image_write(img, at, sector, 1), 0);
        if (n % 10 == 0)
            image_flush(img);
    }
    ck_assert_str_eq(got("../outside"), "safe");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fat");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, layout, 0, ARRAY_LEN(kinds));
    tcase_add_test(tc, sizes);
    tcase_add_loop_test(tc, locked, 0, ARRAY_LEN(kinds));
    tcase_add_loop_test(tc, changed_data, 0, ARRAY_LEN(kinds));
    tcase_add_loop_test(tc, new_renamed_and_removed, 0, ARRAY_LEN(kinds));
    tcase_add_loop_test(tc, late_table, 0, ARRAY_LEN(kinds));
    tcase_add_loop_test(tc, no_more_than_the_disk, 0, ARRAY_LEN(kinds));
    tcase_add_loop_test(tc, nothing_leaves_the_folder, 0, ARRAY_LEN(kinds));
    tcase_add_loop_test(tc, random_metadata, 0, ARRAY_LEN(kinds));
    suite_add_tcase(s, tc);
    return suite_run(s);
}
