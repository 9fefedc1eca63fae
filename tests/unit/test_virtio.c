/* Virtual I/O devices: both faces of the PCI transport, a disk's requests, a network card's merged
 * buffers, the balloon; and drivers that write anything into registers and rings. */
/* SPDX-License-Identifier: MIT */
#include "hw/virtio.h"
#include "hw/virtio_devices.h"
#include "tests/unit/board_fixture.h"
#include "tests/unit/inbox.h"
#include "tests/unit/wire.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTORS = 4096, SLOT = 7, DEVFN = PCI_DEVFN(SLOT, 0), PORT = 0xc000 };
enum { DESC = 0x10000, AVAIL = 0x11000, USED = 0x12000, DATA = 0x20000 };
#define BASE 0xfe000000u

static const u8 mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static struct fixture f;
static struct pci_bus *bus;
static struct net *net; /* the card's cable, or NULL */
static u16 next;        /* index in the avail ring */

static struct image *make_image(void)
{
    static u8 data[SECTORS * 512];
    char path[64];
    for (u32 n = 0; n < sizeof data; n++)
        data[n] = (u8)(n / 512 + n);
    fixture_temp_file(path, data, sizeof data);
    struct image *img = image_open(path, "raw", 0, &f.err);
    ck_assert_ptr_nonnull(img);
    unlink(path);
    return img;
}

static void router(void *opaque, unsigned devfn, unsigned pin, bool level)
{
    (void)opaque;
    (void)pin;
    f.rises[devfn >> 3] += level;
    f.level[devfn >> 3] = level;
}

static void setup(void)
{
    fixture_setup(&f);
    bus = pci_bus_create(&f.board);
    pci_set_router(bus, router, NULL);
    net = NULL;
    next = 0;
}

static void plug(unsigned slot)
{
    unsigned devfn = PCI_DEVFN(slot, 0);
    pci_config_write(bus, devfn, 0x10, PORT, 4);
    pci_config_write(bus, devfn, 0x20, BASE, 4);
    pci_config_write(bus, devfn, 4, 7, 2);
}

static void teardown(void)
{
    fixture_teardown(&f);
    if (net)
        wire_close(net);
}

static u32 get(u32 at, unsigned size)
{
    return (u32)phys_read(f.board.mem, BASE + at, size);
}

static void set(u32 at, u32 value, unsigned size)
{
    phys_write(f.board.mem, BASE + at, value, size);
}

static void put(u64 at, u64 value, unsigned size)
{
    phys_write(f.board.mem, at, value, size);
}

static u64 peek(u64 at, unsigned size)
{
    return phys_read(f.board.mem, at, size);
}

/* Features, one queue, ready: as a 1.0 driver does it. */
static void start_modern(u32 features, unsigned queue)
{
    set(0x14, 0, 1);
    set(0x14, 3, 1);
    set(0x08, 0, 4);
    set(0x0c, features, 4);
    set(0x08, 1, 4);
    set(0x0c, 1, 4);
    set(0x14, 11, 1);
    set(0x16, queue, 2);
    set(0x18, 8, 2);
    set(0x20, DESC, 4);
    set(0x28, AVAIL, 4);
    set(0x30, USED, 4);
    set(0x1c, 1, 2);
    set(0x14, 15, 1);
}

static void desc(unsigned n, u64 address, u32 size, u16 flags, u16 link)
{
    put(DESC + 16 * n, address, 8);
    put(DESC + 16 * n + 8, size, 4);
    put(DESC + 16 * n + 12, flags, 2);
    put(DESC + 16 * n + 14, link, 2);
}

static void offer(u16 head)
{
    put(AVAIL + 4 + 2 * (next % 8), head, 2);
    put(AVAIL + 2, ++next, 2);
}

/* Buffer n of 64 bytes for a frame. */
static void rx_buffer(u16 n)
{
    desc(n, DATA + n * 256u, 64, 2, 0);
    offer(n);
    set(0x3000, 0, 2);
}

/* A disk request in three descriptors; returns its status. */
static u8 blk(u32 type, u64 sector, u32 size)
{
    put(0x1000, type, 4);
    put(0x1008, sector, 8);
    put(0x1100, 0xee, 1);
    desc(0, 0x1000, 16, 1, 1);
    desc(1, DATA, size, (u16)(1 | (type ? 0 : 2)), 2);
    desc(2, 0x1100, 1, 2, 0);
    offer(0);
    set(0x3000, 0, 2);
    return (u8)peek(0x1100, 1);
}

START_TEST(disk_of_a_later_driver)
{
    virtio_blk_create(&f.board, bus, SLOT, make_image());
    plug(SLOT);
    ck_assert_uint_eq(pci_config_read(bus, DEVFN, 0, 4), 0x10011af4);
    ck_assert_uint_eq(get(0x2000, 4), SECTORS);
    start_modern(1 << 9, 0);
    ck_assert_uint_eq(get(0x14, 1), 15);
    ck_assert_uint_eq(blk(0, 5, 1024), 0);
    ck_assert_uint_eq(peek(DATA + 3, 1), (5 + 3) & 0xff);
    ck_assert_uint_eq(peek(DATA + 515, 1), (6 + 3) & 0xff);
    ck_assert_uint_eq(peek(USED + 2, 2), 1);
    ck_assert_uint_eq(peek(USED + 8, 4), 1025);
    ck_assert(f.level[SLOT]);
    ck_assert_uint_eq(get(0x1000, 1), 1);
    ck_assert(!f.level[SLOT]);
    put(DATA, 0x4711, 2);
    ck_assert_uint_eq(blk(1, 9, 512), 0);
    put(DATA, 0, 2);
    ck_assert_uint_eq(blk(0, 9, 512), 0);
    ck_assert_uint_eq(peek(DATA, 2), 0x4711);
    ck_assert_uint_eq(blk(0, SECTORS, 512), 1);
    ck_assert_uint_eq(blk(0, 0, 100), 1);
    ck_assert_uint_eq(blk(4, 0, 0), 0);
    ck_assert_uint_eq(blk(99, 0, 512), 2);
    put(DATA, 9, 8);
    put(DATA + 8, 8, 8);
    ck_assert_uint_eq(blk(11, 0, 16), 0); /* discard */
    ck_assert_uint_eq(blk(0, 9, 512), 0);
    ck_assert_uint_eq(peek(DATA, 2), 0);
    fixture_save_and_load(&f);
    ck_assert_uint_eq(blk(0, 100, 512), 0);
    ck_assert_uint_eq(peek(DATA, 1), 100);
}
END_TEST

START_TEST(disk_of_an_old_driver)
{
    virtio_blk_create(&f.board, bus, SLOT, make_image());
    plug(SLOT);
    fixture_out(&f, PORT + 18, 3, 1);
    ck_assert_uint_eq(fixture_in(&f, PORT + 20, 4), SECTORS);
    fixture_out(&f, PORT + 14, 0, 2);
    u32 size = fixture_in(&f, PORT + 12, 2);
    ck_assert_uint_eq(size, 128);
    fixture_out(&f, PORT + 8, DESC >> 12, 4); /* avail at + 800h, used on the next page */
    fixture_out(&f, PORT + 18, 7, 1);
    put(0x1000, 0, 8);
    put(0x1008, 77, 8);
    desc(0, 0x1000, 16, 1, 1);
    desc(1, DATA, 512, 3, 2);
    desc(2, 0x1100, 1, 2, 0);
    put(DESC + 128 * 16 + 4, 0, 2);
    put(DESC + 128 * 16 + 2, 1, 2);
    fixture_out(&f, PORT + 16, 0, 2);
    ck_assert_uint_eq(peek(DATA, 1), 77);
    ck_assert_uint_eq(peek(DESC + 0x1000 + 2, 2), 1);
    ck_assert_uint_eq(fixture_in(&f, PORT + 19, 1), 1);
    ck_assert_uint_eq(fixture_in(&f, PORT + 19, 1), 0);
}
END_TEST

/* Where the capability of this kind is (VIRTIO 1.1, 4.1.4). */
static unsigned find_capability(u8 kind)
{
    unsigned at = pci_config_read(bus, DEVFN, 0x34, 1);
    while (at && pci_config_read(bus, DEVFN, at + 3, 1) != kind)
        at = pci_config_read(bus, DEVFN, at + 1, 1);
    return at;
}

static void aim(unsigned window, u8 bar, u32 offset, u32 length)
{
    pci_config_write(bus, DEVFN, window + 4, bar, 1);
    pci_config_write(bus, DEVFN, window + 8, offset, 4);
    pci_config_write(bus, DEVFN, window + 12, length, 4);
}

/* A disk that does nothing before it is let. */
static struct {
    struct image image;   /* what the device sees */
    pthread_mutex_t lock; /* held by the test as long as nothing is to be done */
} slow = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int slow_read(struct image *img, u64 sector, void *buf, u32 count)
{
    (void)img, (void)sector;
    pthread_mutex_lock(&slow.lock);
    memset(buf, 0x77, (size_t)count * SECTOR_SIZE);
    pthread_mutex_unlock(&slow.lock);
    return 0;
}

static void slow_close(struct image *img)
{
    (void)img;
}

/* A driver that asks for more than the host should hold has it all done, some of it at a time. */
START_TEST(large_requests)
{
    enum { REQUESTS = 8, PIECES = 126, PIECE = 64 << 10, TABLE = 0x13000 };
    static const struct image_ops ops = {.read = slow_read, .close = slow_close};
    slow.image = (struct image){.ops = &ops, .sectors = 1 << 20};
    image_start_worker(&slow.image, inbox_post, NULL);
    virtio_blk_create(&f.board, bus, SLOT, &slow.image);
    plug(SLOT);
    start_modern(1 << 28, 0);
    put(0x1000, 0, 4);
    put(0x1008, 0, 8);
    for (u64 n = 0; n < PIECES + 2; n++) { /* all requests have the same pieces */
        u64 at = TABLE + 16 * n;
        put(at, n == 0 ? 0x1000 : n > PIECES ? 0x1100 : DATA, 8);
        put(at + 8, n == 0 ? 16 : n > PIECES ? 1 : PIECE, 4);
        put(at + 12, (n > 0 ? 2 : 0) | (n <= PIECES), 2);
        put(at + 14, n + 1, 2);
    }
    pthread_mutex_lock(&slow.lock);
    for (u16 n = 0; n < REQUESTS; n++) {
        desc(n, TABLE, 16 * (PIECES + 2), 4, 0);
        offer(n);
    }
    set(0x3000, 0, 2);
    ck_assert_uint_ge(slow.image.moved, 1);
    ck_assert_uint_le(slow.image.moved * SECTOR_SIZE, 40 << 20);
    pthread_mutex_unlock(&slow.lock);
    while (peek(USED + 2, 2) < REQUESTS)
        inbox_take(true);
    ck_assert_uint_eq(slow.image.moved * SECTOR_SIZE, (u64)REQUESTS * PIECES * PIECE);
    ck_assert_uint_eq(peek(DATA + PIECE - 1, 1), 0x77);
    ck_assert_uint_eq(peek(0x1100, 1), 0);
    fixture_save_and_load(&f); /* with a message of the worker's on its way, or without */
    inbox_take(false);
}
END_TEST

START_TEST(window_in_configuration_space)
{
    virtio_blk_create(&f.board, bus, SLOT, make_image()); /* its BARs lead nowhere */
    unsigned window = find_capability(5), data = window + 16, device = find_capability(4);
    ck_assert_uint_ge(window, 0x40);
    aim(window, 4, pci_config_read(bus, DEVFN, device + 8, 4), 4);
    ck_assert_uint_eq(pci_config_read(bus, DEVFN, data, 4), SECTORS); /* the disk's capacity */
    aim(window, 4, 0x14, 1);
    pci_config_write(bus, DEVFN, data, 0xffffff03, 4); /* status: only one byte counts */
    ck_assert_uint_eq(pci_config_read(bus, DEVFN, data, 1), 3);
    aim(window, 0, 18, 1); /* the same register as a port */
    ck_assert_uint_eq(pci_config_read(bus, DEVFN, data, 1), 3);
    pci_config_write(bus, DEVFN, data, 0, 1);
    aim(window, 4, 0x14, 1);
    ck_assert_uint_eq(pci_config_read(bus, DEVFN, data, 1), 0);
    static const u32 bad[][3] = {{4, 0x14, 3}, {4, 0x14, 0}, {4, 0x4000, 1},    {4, 0x16, 4},
                                 {1, 0x14, 1}, {0, 128, 1},  {4, 0xfffffffc, 4}};
    for (unsigned n = 0; n < ARRAY_LEN(bad); n++) {
        aim(window, (u8)bad[n][0], bad[n][1], bad[n][2]);
        pci_config_write(bus, DEVFN, data, 1, 4);
        ck_assert_uint_eq(pci_config_read(bus, DEVFN, data, 4), 1); /* as it was written */
    }
    aim(window, 4, 0x14, 1);
    ck_assert_uint_eq(pci_config_read(bus, DEVFN, data, 1), 0);
}
END_TEST

/* Rings that no driver should make: the device says that it needs a reset, and works after one. */
START_TEST(broken_rings)
{
    virtio_blk_create(&f.board, bus, SLOT, make_image());
    plug(SLOT);
    for (unsigned n = 0; n < 6; n++) {
        start_modern(1 << 28, 0);
        next = 0;
        put(AVAIL, 0, 4);
        switch (n) {
        case 0: desc(0, 0x1000, 16, 1, 0); break;   /* a cycle */
        case 1: desc(0, 0x1000, 16, 1, 9); break;   /* out of the table */
        case 2: desc(0, 0x1000, 17, 4, 0); break;   /* indirect, of no whole length */
        case 3: desc(0, DESC, 16 * 8, 4, 0); break; /* indirect in indirect */
        case 4: desc(0, DATA, 16, 3, 1), desc(1, DATA, 16, 0, 0); break; /* in before out */
        default: next = 100;                                             /* more than there are */
        }
        offer(0);
        set(0x3000, 0, 2);
        ck_assert_uint_eq(get(0x14, 1) & 0x40, 0x40);
    }
    put(AVAIL, 0, 4);
    next = 0;
    start_modern(0, 0);
    ck_assert_uint_eq(blk(0, 1, 512), 0);
}
END_TEST

START_TEST(balloon_gives_back)
{
    struct virtio_balloon *b = virtio_balloon_create(&f.board, bus, SLOT);
    plug(SLOT);
    start_modern(0, 0);
    virtio_balloon_set(b, 12 << 20);
    ck_assert_uint_eq(get(0x2000, 4), (4 << 20) >> 12);
    ck_assert_uint_eq(get(0x1000, 1), 2); /* configuration has changed */
    put(DATA, DESC >> 12, 4);             /* not a good idea of the guest's: its own ring, later */
    put(0x300000, 0x55, 1);
    put(DATA, 0x300, 4);
    put(DATA + 4, 0xfffff, 4);
    desc(0, DATA, 8, 0, 0);
    offer(0);
    set(0x3000, 0, 2);
    ck_assert_uint_eq(peek(0x300000, 1), 0);
    set(0x2004, 1, 4);
    ck_assert_uint_eq(virtio_balloon_given(b), 4096);
}
END_TEST

START_TEST(network_card)
{
    u8 buf[128];
    net = wire_open(NULL);
    virtio_net_create(&f.board, bus, SLOT, mac, net, NULL, 0);
    plug(SLOT);
    start_modern(1 << 15, 0);
    for (u16 n = 0; n < 3; n++)
        rx_buffer(n);
    wire_send(mac, 0x5a, 100); /* with its header of 12 bytes in two buffers */
    ck_assert(f.level[SLOT]);
    ck_assert_uint_eq(peek(USED + 2, 2), 2);
    ck_assert_uint_eq(peek(USED + 4, 4), 0);
    ck_assert_uint_eq(peek(USED + 8, 4), 64);
    ck_assert_uint_eq(peek(USED + 12, 4), 1);
    ck_assert_uint_eq(peek(USED + 16, 4), 48);
    ck_assert_uint_eq(peek(DATA + 10, 2), 2);
    ck_assert_uint_eq(peek(DATA + 12, 1), mac[0]);
    ck_assert_uint_eq(peek(DATA + 18, 1), 0x5a);
    ck_assert_uint_eq(peek(DATA + 256 + 47, 2), 0x005a);
    wire_send(mac, 0x33, 100); /* a buffer is too little for it: it waits for another one */
    ck_assert_uint_eq(peek(USED + 2, 2), 2);
    rx_buffer(3);
    ck_assert_uint_eq(peek(USED + 2, 2), 4);
    ck_assert_uint_eq(peek(DATA + 768, 1), 0x33);
    start_modern(0, 1);
    next = 0;
    put(AVAIL + 2, 0, 2);
    desc(0, DATA, 12, 1, 1); /* the header, then the frame */
    desc(1, DATA + 512, 60, 0, 0);
    for (unsigned n = 0; n < 60; n++)
        put(DATA + 512 + n, n, 1);
    put(DATA, 0, 8);
    put(DATA + 8, 0, 4);
    offer(0);
    set(0x3004, 1, 2);
    ck_assert_int_eq(wire_take(buf, sizeof buf), 60);
    ck_assert_uint_eq(buf[59], 59);
    fixture_save_and_load(&f);
}
END_TEST

/* Bytes for as large a buffer as the driver offers, other ones each time. */
START_TEST(entropy)
{
    u8 first[64], second[64];
    virtio_rng_create(&f.board, bus, SLOT);
    plug(SLOT);
    start_modern(0, 0);
    for (unsigned n = 0; n < 2; n++) {
        memset(physmem_ram(f.board.mem, DATA), 0, 128);
        desc(0, DATA, 64, 2, 0);
        offer(0);
        set(0x3000, 0, 2);
        ck_assert_uint_eq(peek(USED + 2, 2), n + 1);
        ck_assert_uint_eq(peek(USED + 8 + 8 * n, 4), 64);
        dma_read(f.board.mem, DATA, n ? second : first, 64);
        ck_assert_uint_eq(peek(DATA + 64, 8), 0);
    }
    ck_assert(memcmp(first, second, 64));
    ck_assert(f.level[SLOT]);
    desc(0, DATA, 64, 0, 0); /* nothing to write into */
    offer(0);
    set(0x3000, 0, 2);
    ck_assert_uint_eq(peek(USED + 8 + 8 * 2, 4), 0);
}
END_TEST

/* Out to the back end in one piece or more, in as the driver has buffers. */
START_TEST(console)
{
    const struct chardev_client *client;
    static const char said[] = "to the host";
    char path[64], spec[80], got[32] = "";
    void *dev;
    fixture_temp_file(path, (const u8 *)"", 0);
    snprintf(spec, sizeof spec, "file:%s", path);
    struct chardev *chr = chardev_open(spec, &f.err);
    ck_assert_msg(chr != NULL, "%s", f.err.text);
    chardev_started(chr);
    virtio_console_create(&f.board, bus, SLOT, chr);
    chardev_client(chr, &client, &dev);
    plug(SLOT);
    start_modern(0, 1);
    dma_write(f.board.mem, DATA, said, 8);
    dma_write(f.board.mem, DATA + 100, said + 8, sizeof said - 1 - 8);
    desc(0, DATA, 8, 1, 1);
    desc(1, DATA + 100, 3, 0, 0);
    offer(0);
    set(0x3004, 1, 2);
    ck_assert_uint_eq(peek(USED + 2, 2), 1);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(fgets(got, sizeof got, file));
    ck_assert_str_eq(got, said);
    fclose(file);
    ck_assert_uint_eq(client->room(dev), 0); /* no queue yet */
    next = 0;
    put(AVAIL + 2, 0, 2);
    put(USED + 2, 0, 2);
    start_modern(0, 0);
    ck_assert_uint_eq(client->room(dev), 0); /* nor a buffer */
    desc(0, DATA, 1, 2, 0);
    offer(0);
    set(0x3000, 0, 2);
    ck_assert_uint_ge(client->room(dev), 1);
    client->receive(dev, (const u8 *)"x", 1);
    ck_assert_uint_eq(peek(DATA, 1), 'x');
    ck_assert_uint_eq(peek(USED + 8, 4), 1);
    ck_assert_uint_eq(client->room(dev), 0);
    ck_assert(f.level[SLOT]);
    fixture_save_and_load(&f);
    chardev_close(chr);
    unlink(path);
}
END_TEST

/* Anything anywhere, for all kinds of devices: nothing may crash, hang or trip a sanitizer. */
START_TEST(hostile_driver)
{
    static const u16 regs[] = {0x00, 0x04, 0x08, 0x0c, 0x14, 0x16, 0x18, 0x1c, 0x20, 0x28, 0x30};
    u64 seed = fixture_seed() + (u64)_i + 1;
    struct chardev *chr = chardev_open("null", &f.err);
    net = _i % 5 == 1 ? wire_open(NULL) : NULL;
    switch (_i % 5) {
    case 0: virtio_blk_create(&f.board, bus, SLOT, make_image()); break;
    case 1: virtio_net_create(&f.board, bus, SLOT, mac, net, NULL, 0); break;
    case 2: virtio_console_create(&f.board, bus, SLOT, chr); break;
    case 3: virtio_rng_create(&f.board, bus, SLOT); break;
    default: virtio_balloon_create(&f.board, bus, SLOT);
    }
    plug(SLOT);
    for (unsigned n = 0; n < 6000; n++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        u32 r = (u32)(seed >> 32), v = (u32)(seed >> 12);
        if (n % 200 == 0)
            start_modern(v & 0xffff, r % 3);
        if (net && n % 64 == 0)
            wire_send(mac, (u8)v, 14 + r % 2000);
        switch (r % 8) {
        case 0: set(regs[r / 8 % ARRAY_LEN(regs)], r & 256 ? v & 15 : v & 0x1f000, 4); break;
        case 1: set(0x2000 + r / 8 % 64, v, 1); break;
        case 2: fixture_out(&f, (u16)(PORT + r / 8 % 32), v & 0xff, 1); break;
        case 3: get(r / 8 % 0x4000, 4); break;
        case 4: put(AVAIL + r / 8 % 24, v & 7, 2); break;
        case 5: /* a plausible chain */
            for (unsigned k = 0; k < 4; k++)
                desc(k, r & BIT(8 + k) ? DATA : v & 0xffffff, v >> 8 & 0xfff,
                     (u16)(k < 3) | (u16)(k > (r >> 16 & 3) ? 2 : 0), (u16)(k + 1));
            put(AVAIL + 4, 0, 8);
            put(AVAIL + 2, peek(USED + 2, 2) + 1, 2);
            break;
        case 6: put(DESC + r / 8 % 128, seed, 8); break;
        default: set(0x3000 + 4 * (r / 8 % 4), 0, 2);
        }
    }
    fixture_save_and_load(&f);
    chardev_close(chr);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, disk_of_a_later_driver);
    tcase_add_test(tc, disk_of_an_old_driver);
    tcase_add_test(tc, large_requests);
    tcase_add_test(tc, window_in_configuration_space);
    tcase_add_test(tc, broken_rings);
    tcase_add_test(tc, balloon_gives_back);
    tcase_add_test(tc, network_card);
    tcase_add_test(tc, entropy);
    tcase_add_test(tc, console);
    tcase_add_loop_test(tc, hostile_driver, 0, 10);
}

int main(void)
{
    return fixture_main("virtio", add);
}
