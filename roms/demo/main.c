/* The demo kernel: a small guest to see that the machine works. Entered from boot.S. */
/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "roms/demo/demo.h"
#include "roms/demo/multiboot.h"

struct kernel kernel;

void kernel_main(uint32_t magic, const struct multiboot *info);

void kernel_main(uint32_t magic, const struct multiboot *info)
{
    console_init();
    paging_init();
    interrupt_init();
    menu_run(magic == MULTIBOOT_LOADED ? info : NULL);
}
