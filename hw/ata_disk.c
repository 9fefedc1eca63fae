/* ATA disk commands: IDENTIFY, sector transfers, features, power, SMART (ATA/ATAPI-7, INCITS 397,
 * clause 6). */
/* SPDX-License-Identifier: MIT */
#include "hw/ata.h"

#include <stdio.h>
#include <string.h>

enum { MAX_MULTIPLE = 16, MAX_CHUNK = ATA_BUFFER / SECTOR_SIZE, MAX_LBA28 = 0x0fffffff };
enum { DEFAULT_HEADS = 16, DEFAULT_SECTORS = 63, MAX_CYLINDERS = 16383 };

/* How a command moves its sectors. */
enum how { VERIFY, PIO, MULTIPLE, DMA };

struct command {
    u8 opcode;                                                 /* command code */
    bool write;                                                /* transfers: to the disk */
    bool ext;                                                  /* 48-bit count and LBA */
    enum how how;                                              /* transfers: VERIFY moves no data */
    void (*run)(struct ata_drive *d, const struct command *c); /* what it does */
};

/* Addresses */

static u64 total_sectors(const struct ata_drive *d)
{
    return d->image->sectors;
}

static u64 lba48(const struct ata_drive *d)
{
    const u8 *r = d->reg, *h = d->hob;
    return r[ATA_LBA_LOW] | r[ATA_LBA_MID] << 8 | r[ATA_LBA_HIGH] << 16 |
           (u64)h[ATA_LBA_LOW] << 24 | (u64)h[ATA_LBA_MID] << 32 | (u64)h[ATA_LBA_HIGH] << 40;
}

/* The sector that the task file names; UINT64_MAX for a CHS address that cannot be. */
static u64 address_get(const struct ata_drive *d, bool ext)
{
    const u8 *r = d->reg;
    if (ext)
        return lba48(d);
    if (r[ATA_DEVICE] & ATA_LBA)
        return r[ATA_LBA_LOW] | r[ATA_LBA_MID] << 8 | r[ATA_LBA_HIGH] << 16 |
               (u64)(r[ATA_DEVICE] & 15) << 24;
    unsigned cylinder = r[ATA_LBA_MID] | r[ATA_LBA_HIGH] << 8, head = r[ATA_DEVICE] & 15;
    if (!r[ATA_LBA_LOW] || r[ATA_LBA_LOW] > d->sectors || head >= d->heads)
        return UINT64_MAX;
    return ((u64)cylinder * d->heads + head) * d->sectors + r[ATA_LBA_LOW] - 1;
}

static void address_set(struct ata_drive *d, bool ext, u64 lba)
{
    u8 *r = d->reg, *h = d->hob;
    if (!ext && !(r[ATA_DEVICE] & ATA_LBA)) {
        u64 track = lba / d->sectors, cylinder = track / d->heads;
        r[ATA_LBA_LOW] = (u8)(lba % d->sectors + 1);
        r[ATA_DEVICE] = (u8)((r[ATA_DEVICE] & 0xf0) | track % d->heads);
        r[ATA_LBA_MID] = (u8)cylinder;
        r[ATA_LBA_HIGH] = (u8)(cylinder >> 8);
        return;
    }
    r[ATA_LBA_LOW] = (u8)lba;
    r[ATA_LBA_MID] = (u8)(lba >> 8);
    r[ATA_LBA_HIGH] = (u8)(lba >> 16);
    if (!ext) {
        r[ATA_DEVICE] = (u8)((r[ATA_DEVICE] & 0xf0) | (lba >> 24 & 15));
        return;
    }
    h[ATA_LBA_LOW] = (u8)(lba >> 24);
    h[ATA_LBA_MID] = (u8)(lba >> 32);
    h[ATA_LBA_HIGH] = (u8)(lba >> 40);
}

static u32 count_get(const struct ata_drive *d, bool ext)
{
    u32 count = ext ? d->reg[ATA_COUNT] | (u32)d->hob[ATA_COUNT] << 8 : d->reg[ATA_COUNT];
    return count ? count : ext ? 65536 : 256;
}

/* Transfers */

static const struct command *command_find(u8 opcode);

static u32 chunk_size(const struct ata_drive *d, const struct command *c)
{
    u32 most = c->how == PIO ? 1 : c->how == MULTIPLE ? d->multiple : MAX_CHUNK;
    return d->left < most ? d->left : most;
}

/* Ends with the address of the sector that failed. */
static void fail_at(struct ata_drive *d, const struct command *c, u64 lba, u8 error)
{
    address_set(d, c->ext, lba);
    ata_fail(d, error);
}

/* Brings the next chunk into the buffer, or asks the host for it. */
static void chunk_start(struct ata_drive *d, const struct command *c)
{
    d->chunk = chunk_size(d, c);
    if (!c->write)
        ata_submit(d, IMAGE_READ, d->lba, d->chunk);
    else
        ata_transfer(d, c->how == DMA ? ATA_DMA_OUT : ATA_PIO_OUT, d->chunk * SECTOR_SIZE);
}

/* A chunk is done with: the next one, or the end of the command. */
static void chunk_end(struct ata_drive *d, const struct command *c)
{
    d->lba += d->chunk;
    d->left -= d->chunk < d->left ? d->chunk : d->left;
    if (d->left) {
        chunk_start(d, c);
        return;
    }
    address_set(d, c->ext, d->lba - 1);
    d->reg[ATA_COUNT] = 0;
    if (c->write || c->how == DMA) {
        ata_finish(d);
        return;
    }
    d->phase = ATA_IDLE; /* the last PIO block read: no interrupt */
    d->reg[ATA_STATUS] = ATA_DRDY | ATA_DSC;
}

/* DATA SET MANAGEMENT with the TRIM bit: blocks of entries, each a sector (48 bits) and a count (16
 * bits). */

enum { DSM_TRIM = 1, DSM_MAX_BLOCKS = 8, TRIM_ENTRY = 8 };

static void run_trim(struct ata_drive *d, const struct command *c)
{
    u32 blocks = count_get(d, true);
    (void)c;
    if (d->feature != DSM_TRIM || blocks > DSM_MAX_BLOCKS || d->image->read_only) {
        ata_fail(d, ATA_ABRT);
        return;
    }
    d->left = blocks;
    d->chunk = 0; /* bytes of entries that were obeyed */
    ata_transfer(d, ATA_DMA_OUT, blocks * SECTOR_SIZE);
}

/* Obeys the next entry that names sectors. */
static void trim_next(struct ata_drive *d)
{
    while (d->left <= DSM_MAX_BLOCKS && d->chunk < d->left * SECTOR_SIZE) {
        u64 entry = load_le64(d->buf + d->chunk), sector = entry & 0xffffffffffff;
        u32 count = (u32)(entry >> 48);
        d->chunk += TRIM_ENTRY;
        if (!count)
            continue;
        if (sector >= total_sectors(d) || count > total_sectors(d) - sector)
            ata_fail(d, ATA_IDNF | ATA_ABRT);
        else
            ata_submit(d, IMAGE_DISCARD, sector, count);
        return;
    }
    d->left = d->chunk = 0;
    ata_finish(d);
}

static void disk_block_done(struct ata_drive *d)
{
    const struct command *c = command_find(d->opcode);
    if (c && c->run == run_trim)
        trim_next(d);
    else if (c && c->run && c->write && d->left)
        ata_submit(d, IMAGE_WRITE, d->lba, d->chunk);
    else if (c && d->left)
        chunk_end(d, c);
    else { /* IDENTIFY and SMART data */
        d->phase = ATA_IDLE;
        d->reg[ATA_STATUS] = ATA_DRDY | ATA_DSC;
    }
}

static void read_done(struct ata_drive *d, const struct command *c)
{
    ata_transfer(d, c->how == DMA ? ATA_DMA_IN : ATA_PIO_IN, d->chunk * SECTOR_SIZE);
    if (c->how != DMA)
        ata_interrupt(d);
}

static void write_done(struct ata_drive *d, const struct command *c)
{
    bool more = d->left > d->chunk;
    chunk_end(d, c);
    if (more && c->how != DMA)
        ata_interrupt(d);
}

static void disk_image_done(struct ata_drive *d, int status)
{
    const struct command *c = command_find(d->opcode);
    if (!c)
        ata_fail(d, ATA_ABRT);
    else if (status)
        fail_at(d, c, d->lba, d->request.op == IMAGE_READ ? ATA_UNC : ATA_ABRT);
    else if (d->request.op == IMAGE_FLUSH)
        ata_finish(d);
    else if (d->request.op == IMAGE_DISCARD)
        trim_next(d);
    else if (d->request.op == IMAGE_READ)
        read_done(d, c);
    else
        write_done(d, c);
}

static void run_transfer(struct ata_drive *d, const struct command *c)
{
    u64 lba = address_get(d, c->ext), total = total_sectors(d);
    d->left = count_get(d, c->ext);
    d->lba = lba;
    if (c->how == MULTIPLE && !d->multiple) {
        ata_fail(d, ATA_ABRT);
    } else if (lba >= total || d->left > total - lba) {
        fail_at(d, c, lba == UINT64_MAX ? 0 : lba, ATA_IDNF);
    } else if (c->write && d->image->read_only) {
        ata_fail(d, ATA_ABRT);
    } else if (c->how == VERIFY) {
        address_set(d, c->ext, lba + d->left - 1);
        ata_finish(d);
    } else {
        chunk_start(d, c);
    }
}

static void run_seek(struct ata_drive *d, const struct command *c)
{
    (void)c;
    if (address_get(d, false) < total_sectors(d))
        ata_finish(d);
    else
        ata_fail(d, ATA_IDNF);
}

static void run_flush(struct ata_drive *d, const struct command *c)
{
    (void)c;
    ata_submit(d, IMAGE_FLUSH, 0, 0);
}

static void run_native_max(struct ata_drive *d, const struct command *c)
{
    u64 last = total_sectors(d) - 1;
    if (!c->ext && !(d->reg[ATA_DEVICE] & ATA_LBA)) {
        ata_fail(d, ATA_ABRT);
        return;
    }
    address_set(d, c->ext, !c->ext && last > MAX_LBA28 ? MAX_LBA28 : last);
    ata_finish(d);
}

/* IDENTIFY DEVICE */

static u64 default_cylinders(const struct ata_drive *d)
{
    u64 n = total_sectors(d) / (DEFAULT_HEADS * DEFAULT_SECTORS);
    return n > MAX_CYLINDERS ? MAX_CYLINDERS : n ? n : 1;
}

static void word_set(struct ata_drive *d, unsigned n, u16 value)
{
    store_le16(d->buf + 2 * n, value);
}

static void dword_set(struct ata_drive *d, unsigned n, u32 value)
{
    store_le32(d->buf + 2 * n, value);
}

/* What never changes, word by word (ATA/ATAPI-7, table 27). */
static const struct {
    u8 word;   /* its number */
    u16 value; /* its contents */
} identify_fixed[] = {
    {0, 0x0040}, /* fixed device */
    {3, DEFAULT_HEADS},
    {4, DEFAULT_SECTORS * 512},
    {5, 512},
    {6, DEFAULT_SECTORS},
    {20, 3},
    {21, 512},
    {22, 4}, /* buffer, retired words that old drivers look at */
    {47, 0x8000 | MAX_MULTIPLE},
    {48, 1},
    {49, 0x0b00}, /* IORDY, LBA, DMA */
    {50, 0x4000},
    {51, 0x0200},
    {52, 0x0200},
    {53, 0x0007}, /* words 54-58, 64-70 and 88 are valid */
    {64, 0x0003}, /* PIO 3 and 4 */
    {65, 120},
    {66, 120},
    {67, 120},
    {68, 120},
    {80, 0x00f0},
    {81, 0x0000}, /* ATA-4 to ATA/ATAPI-7 */
    {82, 0x4021}, /* NOP, write cache, SMART */
    {83, 0x7400}, /* FLUSH, FLUSH EXT, 48-bit */
    {84, 0x4000},
    {86, 0x3400},
    {87, 0x4000},
    {93, 0x600b}, /* reset result: 80-wire cable, device 0 passed */
    {105, DSM_MAX_BLOCKS},
    {169, 0x0001}, /* DATA SET MANAGEMENT knows TRIM */
};

static void identify_modes(struct ata_drive *d)
{
    u16 mwdma = 0x0007, udma = 0x003f;
    if ((d->transfer_mode & 0xf8) == 0x20)
        mwdma |= (u16)(0x100 << (d->transfer_mode & 7));
    if ((d->transfer_mode & 0xf8) == 0x40)
        udma |= (u16)(0x100 << (d->transfer_mode & 7));
    word_set(d, 63, mwdma);
    word_set(d, 88, udma);
}

static void identify_size(struct ata_drive *d)
{
    u64 total = total_sectors(d);
    u64 chs = (u64)d->cylinders * d->heads * d->sectors;
    word_set(d, 1, (u16)default_cylinders(d));
    word_set(d, 54, d->cylinders);
    word_set(d, 55, d->heads);
    word_set(d, 56, d->sectors);
    dword_set(d, 57, (u32)(chs < total ? chs : total));
    dword_set(d, 60, (u32)(total > MAX_LBA28 ? MAX_LBA28 : total));
    store_le64(d->buf + 2 * 100, total);
}

static void run_identify(struct ata_drive *d, const struct command *c)
{
    (void)c;
    memset(d->buf, 0, SECTOR_SIZE);
    for (size_t n = 0; n < ARRAY_LEN(identify_fixed); n++)
        word_set(d, identify_fixed[n].word, identify_fixed[n].value);
    ata_string(d->buf + 2 * 10, d->serial, 20);
    ata_string(d->buf + 2 * 23, "1.0", 8);
    ata_string(d->buf + 2 * 27, "PRESCIENT HARDDISK", 40);
    identify_size(d);
    identify_modes(d);
    word_set(d, 59, d->multiple ? 0x100 | d->multiple : 0);
    word_set(d, 85, (u16)(0x4000 | (d->write_cache ? 0x20 : 0) | d->smart));
    d->left = 0;
    ata_transfer(d, ATA_PIO_IN, SECTOR_SIZE);
    ata_interrupt(d);
}

/* Settings */

static void run_set_features(struct ata_drive *d, const struct command *c)
{
    (void)c;
    ata_set_features(d);
}

static void run_set_multiple(struct ata_drive *d, const struct command *c)
{
    u8 n = d->reg[ATA_COUNT];
    (void)c;
    if (n > MAX_MULTIPLE || n & (n - 1)) {
        d->multiple = 0;
        ata_fail(d, ATA_ABRT);
        return;
    }
    d->multiple = n;
    ata_finish(d);
}

static void run_initialize_parameters(struct ata_drive *d, const struct command *c)
{
    u8 sectors = d->reg[ATA_COUNT], heads = (d->reg[ATA_DEVICE] & 15) + 1;
    (void)c;
    if (!sectors) {
        ata_fail(d, ATA_ABRT);
        return;
    }
    u64 cylinders = total_sectors(d) / ((u64)heads * sectors);
    d->heads = heads;
    d->sectors = sectors;
    d->cylinders = (u16)(cylinders > 65535 ? 65535 : cylinders);
    ata_finish(d);
}

static void run_nothing(struct ata_drive *d, const struct command *c)
{
    (void)c;
    ata_finish(d);
}

static void run_check_power(struct ata_drive *d, const struct command *c)
{
    (void)c;
    d->reg[ATA_COUNT] = 0xff; /* active */
    ata_finish(d);
}

/* SMART: always well. */

enum {
    SMART_READ_DATA = 0xd0,
    SMART_READ_THRESHOLDS = 0xd1,
    SMART_AUTOSAVE = 0xd2,
    SMART_ENABLE = 0xd8
};
enum { SMART_DISABLE = 0xd9, SMART_RETURN_STATUS = 0xda };

static void smart_data(struct ata_drive *d)
{
    u8 sum = 0;
    memset(d->buf, 0, SECTOR_SIZE);
    d->buf[0] = 1; /* structure revision */
    for (unsigned n = 0; n < SECTOR_SIZE - 1; n++)
        sum = (u8)(sum + d->buf[n]);
    d->buf[SECTOR_SIZE - 1] = (u8)-sum;
    d->left = 0;
    ata_transfer(d, ATA_PIO_IN, SECTOR_SIZE);
    ata_interrupt(d);
}

static void run_smart(struct ata_drive *d, const struct command *c)
{
    (void)c;
    bool key = d->reg[ATA_LBA_MID] == 0x4f && d->reg[ATA_LBA_HIGH] == 0xc2;
    if (!key || (!d->smart && d->feature != SMART_ENABLE)) {
        ata_fail(d, ATA_ABRT);
        return;
    }
    switch (d->feature) {
    case SMART_READ_DATA:
    case SMART_READ_THRESHOLDS: smart_data(d); return;
    case SMART_ENABLE: d->smart = true; break;
    case SMART_DISABLE: d->smart = false; break;
    case SMART_AUTOSAVE:
    case SMART_RETURN_STATUS: break; /* 4F C2 left as it is: no threshold exceeded */
    default: ata_fail(d, ATA_ABRT); return;
    }
    ata_finish(d);
}

/* By opcode. IDENTIFY PACKET DEVICE, DEVICE RESET, PACKET, NOP and what else is not here are
 * aborted. */
/* clang-format off */
static const struct command commands[] = {
    {0x06, true,  true,  DMA,      run_trim},      /* DATA SET MANAGEMENT */
    {0x20, false, false, PIO,      run_transfer},  /* READ SECTORS */
    {0x21, false, false, PIO,      run_transfer},  /* READ SECTORS without retry */
    {0x24, false, true,  PIO,      run_transfer},  /* READ SECTORS EXT */
    {0x25, false, true,  DMA,      run_transfer},  /* READ DMA EXT */
    {0x27, false, true,  PIO,      run_native_max}, /* READ NATIVE MAX ADDRESS EXT */
    {0x29, false, true,  MULTIPLE, run_transfer},  /* READ MULTIPLE EXT */
    {0x30, true,  false, PIO,      run_transfer},  /* WRITE SECTORS */
    {0x31, true,  false, PIO,      run_transfer},  /* WRITE SECTORS without retry */
    {0x34, true,  true,  PIO,      run_transfer},  /* WRITE SECTORS EXT */
    {0x35, true,  true,  DMA,      run_transfer},  /* WRITE DMA EXT */
    {0x39, true,  true,  MULTIPLE, run_transfer},  /* WRITE MULTIPLE EXT */
    {0x40, false, false, VERIFY,   run_transfer},  /* READ VERIFY SECTORS */
    {0x41, false, false, VERIFY,   run_transfer},  /* READ VERIFY SECTORS without retry */
    {0x42, false, true,  VERIFY,   run_transfer},  /* READ VERIFY SECTORS EXT */
    {0x70, false, false, PIO,      run_seek},      /* SEEK */
    {0x91, false, false, PIO,      run_initialize_parameters}, /* INITIALIZE DEVICE PARAMETERS */
    {0x94, false, false, PIO,      run_nothing},   /* STANDBY IMMEDIATE */
    {0x95, false, false, PIO,      run_nothing},   /* IDLE IMMEDIATE */
    {0x96, false, false, PIO,      run_nothing},   /* STANDBY */
    {0x97, false, false, PIO,      run_nothing},   /* IDLE */
    {0x98, false, false, PIO,      run_check_power}, /* CHECK POWER MODE */
    {0x99, false, false, PIO,      run_nothing},   /* SLEEP */
    {0xb0, false, false, PIO,      run_smart},     /* SMART */
    {0xc4, false, false, MULTIPLE, run_transfer},  /* READ MULTIPLE */
    {0xc5, true,  false, MULTIPLE, run_transfer},  /* WRITE MULTIPLE */
    {0xc6, false, false, PIO,      run_set_multiple}, /* SET MULTIPLE MODE */
    {0xc8, false, false, DMA,      run_transfer},  /* READ DMA */
    {0xc9, false, false, DMA,      run_transfer},  /* READ DMA without retry */
    {0xca, true,  false, DMA,      run_transfer},  /* WRITE DMA */
    {0xcb, true,  false, DMA,      run_transfer},  /* WRITE DMA without retry */
    {0xe0, false, false, PIO,      run_nothing},   /* STANDBY IMMEDIATE */
    {0xe1, false, false, PIO,      run_nothing},   /* IDLE IMMEDIATE */
    {0xe2, false, false, PIO,      run_nothing},   /* STANDBY */
    {0xe3, false, false, PIO,      run_nothing},   /* IDLE */
    {0xe5, false, false, PIO,      run_check_power}, /* CHECK POWER MODE */
    {0xe6, false, false, PIO,      run_nothing},   /* SLEEP */
    {0xe7, false, false, PIO,      run_flush},     /* FLUSH CACHE */
    {0xea, false, true,  PIO,      run_flush},     /* FLUSH CACHE EXT */
    {0xec, false, false, PIO,      run_identify},  /* IDENTIFY DEVICE */
    {0xef, false, false, PIO,      run_set_features}, /* SET FEATURES */
    {0xf8, false, false, PIO,      run_native_max}, /* READ NATIVE MAX ADDRESS */
};
/* clang-format on */

static const struct command *command_find(u8 opcode)
{
    if ((opcode & 0xf0) == 0x70)
        opcode = 0x70;
    for (size_t n = 0; n < ARRAY_LEN(commands); n++) {
        if (commands[n].opcode == opcode)
            return &commands[n];
    }
    return NULL;
}

static void disk_command(struct ata_drive *d, u8 opcode)
{
    static const struct command recalibrate = {0x10, false, false, PIO, run_nothing};
    const struct command *c = (opcode & 0xf0) == 0x10 ? &recalibrate : command_find(opcode);
    if (c) {
        c->run(d, c);
        return;
    }
    if (opcode != 0x00 && opcode != 0x08 && opcode != 0xa1)
        log_once(d->log, opcode, "disk: command %#x is not supported", opcode);
    ata_fail(d, ATA_ABRT);
}

static void disk_reset(struct ata_drive *d)
{
    d->left = d->chunk = 0;
    d->heads = DEFAULT_HEADS;
    d->sectors = DEFAULT_SECTORS;
    d->cylinders = (u16)default_cylinders(d);
}

static const struct ata_kind disk_kind = {false, disk_command, disk_block_done, disk_image_done,
                                          disk_reset};

struct ata_drive *ata_disk_new(struct log *log, struct image *image, unsigned unit,
                               const char *serial, const struct ata_wires *wires)
{
    struct ata_drive *d = ata_new(&disk_kind, log, image, unit, wires);
    snprintf(d->serial, sizeof d->serial, "%s", serial ? serial : unit ? "PS00002" : "PS00001");
    return d;
}

/* Disks beyond 1024 cylinders need a translation for int 13h's CHS calls. */
unsigned ata_bios_translation(const struct ata_drive *d)
{
    return !d->kind->packet && default_cylinders(d) > 1024;
}
