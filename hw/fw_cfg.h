/* Firmware configuration: QEMU's fw_cfg interface (docs/specs/fw_cfg), through which SeaBIOS learns
 * of the machine. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_FW_CFG_H
#define HW_FW_CFG_H

#include "hw/device.h"

/* Items with fixed numbers. */
enum fw_cfg_key {
    FW_CFG_SIGNATURE = 0x0000,
    FW_CFG_ID = 0x0001,
    FW_CFG_RAM_SIZE = 0x0003,
    FW_CFG_NOGRAPHIC = 0x0004,
    FW_CFG_NB_CPUS = 0x0005,
    FW_CFG_NUMA = 0x000d,
    FW_CFG_BOOT_MENU = 0x000e,
    FW_CFG_MAX_CPUS = 0x000f,
    FW_CFG_FILE_DIR = 0x0019,
    FW_CFG_FILE_FIRST = 0x0020,
    FW_CFG_ACPI_TABLES = 0x8000,
    FW_CFG_SMBIOS_ENTRIES = 0x8001,
    FW_CFG_IRQ0_OVERRIDE = 0x8002
};

struct fw_cfg;

/* Claims ports 510-511 and 514-51B; knows its signature and id. NULL with b->err set on a clash. */
struct fw_cfg *fw_cfg_create(struct board *b);

/* Items; data is copied, numbers are stored little-endian. Adding a key again replaces it. */
void fw_cfg_add_bytes(struct fw_cfg *f, u16 key, const void *data, size_t size);
void fw_cfg_add_u16(struct fw_cfg *f, u16 key, u16 value);
void fw_cfg_add_u32(struct fw_cfg *f, u16 key, u32 value);
void fw_cfg_add_u64(struct fw_cfg *f, u16 key, u64 value);

/* Named files ("etc/e820", "bootorder", "genroms/NAME", ...), listed in the directory. The name has
 * at most 55 characters; a name that is there already is replaced. False when the directory is full
 * or the name too long. */
bool fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, size_t size);
bool fw_cfg_add_file_u64(struct fw_cfg *f, const char *name,
                         u64 value); /* how SeaBIOS reads numbers */

/* What SeaBIOS has to know of every machine: RAM sizes (below the hole and above 4 GiB) also as
 * etc/e820, number of CPUs, the timer on IO-APIC pin 2. */
void fw_cfg_add_machine(struct fw_cfg *f, u64 ram_low, u64 ram_high, unsigned cpus);

#endif
