/* Firmware configuration: QEMU's fw_cfg interface (docs/specs/fw_cfg), ports 510, 511, 514 with
 * DMA. */
/* SPDX-License-Identifier: MIT */
#include "hw/fw_cfg.h"

#include <stdlib.h>
#include <string.h>

enum {
    SELECTOR = 0x510,    /* 16 bits, write: which item; rewinds it */
    DATA = 0x511,        /* 8 bits: its next byte */
    DMA_ADDRESS = 0x514, /* 64 bits, big-endian, upper half first; writing the lower half starts */
    DMA_PORTS = 8
};

/* The control word of a DMA access. */
enum {
    DMA_CTL_ERROR = 0x01,
    DMA_CTL_READ = 0x02,
    DMA_CTL_SKIP = 0x04,
    DMA_CTL_SELECT = 0x08, /* first select the item in bits 31-16 */
    DMA_CTL_WRITE = 0x10
};

enum { ID_TRADITIONAL = 1, ID_DMA = 2 };
enum { MAX_FILES = 64, FILE_NAME = 56, FILE_ENTRY = 64, LOCAL_KEYS = 4, LOCAL_FIRST = 0x8000 };
enum { MAX_ZERO_FILL = 16 << 20 }; /* how much of a DMA read past an item's end is honoured */

struct item {
    u8 *data;    /* what it holds; NULL: no such item, reads as zeros */
    size_t size; /* bytes */
};

struct fw_cfg {
    struct board *board;                             /* ports, memory, log */
    struct item item[FW_CFG_FILE_FIRST + MAX_FILES]; /* generic items by number */
    struct item local[LOCAL_KEYS];                   /* items of the PC from LOCAL_FIRST on */
    u8 directory[4 + MAX_FILES *
                         FILE_ENTRY]; /* big-endian count, then size, select, 0, name for each */
    unsigned files;                   /* entries in directory */
    u16 key;                          /* selected item */
    u32 offset;                       /* next byte of it */
    u32 dma_high;                     /* upper half of the DMA address, as a number */
};

static u32 be32(u32 v)
{
    return __builtin_bswap32(v);
}

/* Items */

/* The place of an item, or NULL for numbers that cannot exist. */
static struct item *item_at(struct fw_cfg *f, u16 key)
{
    if (key < ARRAY_LEN(f->item))
        return &f->item[key];
    if (key >= LOCAL_FIRST && key < LOCAL_FIRST + LOCAL_KEYS)
        return &f->local[key - LOCAL_FIRST];
    return NULL;
}

void fw_cfg_add_bytes(struct fw_cfg *f, u16 key, const void *data, size_t size)
{
    struct item *it = item_at(f, key);
    if (!it || size > UINT32_MAX)
        return;
    free(it->data);
    it->data = xmalloc(size ? size : 1);
    it->size = size;
    if (size)
        memcpy(it->data, data, size);
}

void fw_cfg_add_u16(struct fw_cfg *f, u16 key, u16 value)
{
    fw_cfg_add_bytes(f, key, &value, sizeof value);
}

void fw_cfg_add_u32(struct fw_cfg *f, u16 key, u32 value)
{
    fw_cfg_add_bytes(f, key, &value, sizeof value);
}

void fw_cfg_add_u64(struct fw_cfg *f, u16 key, u64 value)
{
    fw_cfg_add_bytes(f, key, &value, sizeof value);
}

static u8 *directory_entry(struct fw_cfg *f, unsigned n)
{
    return f->directory + 4 + n * FILE_ENTRY;
}

bool fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, size_t size)
{
    unsigned n = 0;
    if (strlen(name) >= FILE_NAME || size > UINT32_MAX)
        return false;
    while (n < f->files && strcmp((char *)directory_entry(f, n) + 8, name))
        n++;
    if (n == MAX_FILES)
        return false;
    if (n == f->files)
        f->files++;
    u8 *entry = directory_entry(f, n);
    u16 key = (u16)(FW_CFG_FILE_FIRST + n);
    store_le32(entry, be32((u32)size));
    store_le16(entry + 4, __builtin_bswap16(key));
    strcpy((char *)entry + 8, name);
    store_le32(f->directory, be32(f->files));
    fw_cfg_add_bytes(f, key, data, size);
    fw_cfg_add_bytes(f, FW_CFG_FILE_DIR, f->directory, 4 + f->files * FILE_ENTRY);
    return true;
}

bool fw_cfg_add_file_u64(struct fw_cfg *f, const char *name, u64 value)
{
    return fw_cfg_add_file(f, name, &value, sizeof value);
}

void fw_cfg_add_machine(struct fw_cfg *f, u64 ram_low, u64 ram_high, unsigned cpus)
{
    /* e820 entries: base, length, type 1 = RAM */
    u8 e820[40] = {0};
    /* S0 to S5: bit 7 = offered, low bits = the PM control register's sleep type. S3 is not
     * offered. */
    static const u8 sleep_states[6] = {0x80, 0x00, 0x00, 0x01, 0x82, 0x80};
    u64 numa[2] = {0};
    store_le64(e820 + 8, ram_low);
    store_le32(e820 + 16, 1);
    store_le64(e820 + 20, 1ull << 32);
    store_le64(e820 + 28, ram_high);
    store_le32(e820 + 36, 1);
    fw_cfg_add_file(f, "etc/e820", e820, ram_high ? 40 : 20);
    fw_cfg_add_file(f, "etc/system-states", sleep_states, sizeof sleep_states);
    fw_cfg_add_u64(f, FW_CFG_RAM_SIZE, ram_low + ram_high);
    fw_cfg_add_u16(f, FW_CFG_NB_CPUS, (u16)cpus);
    fw_cfg_add_u16(f, FW_CFG_MAX_CPUS, (u16)cpus);
    fw_cfg_add_u16(f, FW_CFG_NOGRAPHIC, 0);
    fw_cfg_add_u16(f, FW_CFG_BOOT_MENU, 0);
    fw_cfg_add_bytes(f, FW_CFG_NUMA, numa, sizeof numa);
    fw_cfg_add_u32(f, FW_CFG_IRQ0_OVERRIDE, 1);
}

/* Access */

static void item_select(struct fw_cfg *f, u16 key)
{
    f->key = key;
    f->offset = 0;
}

/* Bytes left of the selected item, and where they are. */
static size_t item_rest(struct fw_cfg *f, const u8 **p)
{
    const struct item *it = item_at(f, f->key);
    if (!it || !it->data || f->offset >= it->size)
        return 0;
    *p = it->data + f->offset;
    return it->size - f->offset;
}

static void dma_fill_zero(struct fw_cfg *f, u64 address, u32 size)
{
    static const u8 zero[PAGE_SIZE];
    if (size > MAX_ZERO_FILL)
        size = MAX_ZERO_FILL;
    for (u32 done = 0; done < size; done += PAGE_SIZE) {
        u32 part = size - done < PAGE_SIZE ? size - done : PAGE_SIZE;
        dma_write(f->board->mem, address + done, zero, part);
    }
}

static void dma_read_item(struct fw_cfg *f, u64 address, u32 size)
{
    const u8 *p = NULL;
    size_t part = item_rest(f, &p);
    if (part > size)
        part = size;
    if (part)
        dma_write(f->board->mem, address, p, part);
    dma_fill_zero(f, address + part, size - (u32)part);
}

static void item_skip(struct fw_cfg *f, u32 size)
{
    f->offset = size > UINT32_MAX - f->offset ? UINT32_MAX : f->offset + size;
}

/* One DMA command: big-endian control, length and address at `at`; the control word becomes 0 or
 * ERROR. */
static void dma_command(struct fw_cfg *f, u64 at)
{
    u8 command[16];
    dma_read(f->board->mem, at, command, sizeof command);
    u32 control = be32(load_le32(command)), size = be32(load_le32(command + 4));
    u64 address = __builtin_bswap64(load_le64(command + 8));
    u32 result = 0;
    if (control & DMA_CTL_SELECT)
        item_select(f, (u16)(control >> 16));
    if (control & DMA_CTL_READ)
        dma_read_item(f, address, size);
    else if (control & DMA_CTL_WRITE)
        result = DMA_CTL_ERROR; /* no item is writable */
    if (control & (DMA_CTL_READ | DMA_CTL_SKIP))
        item_skip(f, size);
    store_le32(command, be32(result));
    dma_write(f->board->mem, at, command, 4);
}

static void fw_cfg_reset(void *dev)
{
    struct fw_cfg *f = dev;
    item_select(f, 0);
    f->dma_high = 0;
}

static u32 fw_cfg_read(void *dev, u16 port, unsigned size)
{
    struct fw_cfg *f = dev;
    const u8 *p;
    if (port != DATA || size != 1)
        return port == SELECTOR && size == 2 ? f->key : 0;
    u8 byte = item_rest(f, &p) ? *p : 0;
    item_skip(f, 1);
    return byte;
}

static void fw_cfg_write(void *dev, u16 port, u32 value, unsigned size)
{
    if (port == SELECTOR && size == 2)
        item_select(dev, (u16)value);
}

/* The DMA address register reads as a signature. */
static u32 dma_port_read(void *dev, u16 port, unsigned size)
{
    static const char signature[] = "QEMU CFG";
    u32 value = 0;
    (void)dev;
    for (unsigned n = 0; n < size && port - DMA_ADDRESS + n < DMA_PORTS; n++)
        value |= (u32)(u8)signature[port - DMA_ADDRESS + n] << 8 * n;
    return value;
}

static void dma_port_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct fw_cfg *f = dev;
    if (size != 4)
        return;
    if (port == DMA_ADDRESS) {
        f->dma_high = be32(value);
    } else if (port == DMA_ADDRESS + 4) {
        u64 at = (u64)f->dma_high << 32 | be32(value);
        f->dma_high = 0;
        dma_command(f, at);
    }
}

static const struct ioport_ops fw_cfg_port_ops = {fw_cfg_read, fw_cfg_write, 2};
static const struct ioport_ops dma_port_ops = {dma_port_read, dma_port_write, 4};

static void fw_cfg_state(void *dev, struct state *s)
{
    struct fw_cfg *f = dev;
    state_u16(s, "key", &f->key);
    state_u32(s, "offset", &f->offset);
    state_u32(s, "dma_high", &f->dma_high);
}

static void fw_cfg_destroy(void *dev)
{
    struct fw_cfg *f = dev;
    ioport_remove(f->board->io, SELECTOR, DMA_ADDRESS + DMA_PORTS - SELECTOR, f);
    for (unsigned n = 0; n < ARRAY_LEN(f->item); n++)
        free(f->item[n].data);
    for (unsigned n = 0; n < LOCAL_KEYS; n++)
        free(f->local[n].data);
    free(f);
}

static const struct device_ops fw_cfg_ops = {"fw_cfg", fw_cfg_reset, fw_cfg_state, fw_cfg_destroy};

struct fw_cfg *fw_cfg_create(struct board *b)
{
    struct fw_cfg *f = xcalloc(1, sizeof *f);
    f->board = b;
    if (!ioport_add(b->io, SELECTOR, 2, &fw_cfg_port_ops, f, "fw_cfg", b->err) ||
        !ioport_add(b->io, DMA_ADDRESS, DMA_PORTS, &dma_port_ops, f, "fw_cfg DMA", b->err)) {
        fw_cfg_destroy(f);
        return NULL;
    }
    fw_cfg_add_bytes(f, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_u32(f, FW_CFG_ID, ID_TRADITIONAL | ID_DMA);
    fw_cfg_add_bytes(f, FW_CFG_FILE_DIR, f->directory, 4);
    board_add(b, &fw_cfg_ops, f);
    return f;
}
