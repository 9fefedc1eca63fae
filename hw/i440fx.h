/* Host bridge: Intel 82441FX PMC (datasheet 290549), ROM shadowing and SMRAM. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_I440FX_H
#define HW_I440FX_H

#include "hw/pci.h"

struct i440fx;

/* Puts the bridge at 00:00.0. */
struct i440fx *i440fx_create(struct board *b, struct pci_bus *bus);

/* The CPU's SMIACT#: while active, SMRAM shows RAM at A0000 if the guest enabled it. */
void i440fx_set_smiact(struct i440fx *f, bool active);

#endif
