/* The display adapter's registers and struct, shared by its register, memory and drawing files only
 * (IBM VGA technical reference; Bochs VBE DISPI). */
/* SPDX-License-Identifier: MIT */
#ifndef HW_VGA_REGS_H
#define HW_VGA_REGS_H

#include "hw/vga.h"

/* Sequencer (3C4/3C5). */
enum { SEQ_RESET, SEQ_CLOCKING, SEQ_MAP_MASK, SEQ_FONT, SEQ_MEMORY, SEQ_COUNT = 8 };
enum {
    CLOCKING_8DOT = 0x01,
    CLOCKING_HALF = 0x08,
    CLOCKING_OFF = 0x20,
    MEMORY_EXTENDED = 0x02,
    MEMORY_SEQUENTIAL = 0x04,
    MEMORY_CHAIN4 = 0x08
};

/* CRT controller (3D4/3D5 or 3B4/3B5). */
enum {
    CRTC_H_TOTAL = 0x00,
    CRTC_H_DISPLAY = 0x01,
    CRTC_H_BLANK_START = 0x02,
    CRTC_H_BLANK_END = 0x03,
    CRTC_H_SYNC_END = 0x05,
    CRTC_V_TOTAL = 0x06,
    CRTC_OVERFLOW = 0x07,
    CRTC_PRESET_ROW = 0x08,
    CRTC_MAX_SCAN = 0x09,
    CRTC_CURSOR_START = 0x0a,
    CRTC_CURSOR_END = 0x0b,
    CRTC_START_HIGH = 0x0c,
    CRTC_START_LOW = 0x0d,
    CRTC_CURSOR_HIGH = 0x0e,
    CRTC_CURSOR_LOW = 0x0f,
    CRTC_V_SYNC_START = 0x10,
    CRTC_V_SYNC_END = 0x11,
    CRTC_V_DISPLAY = 0x12,
    CRTC_OFFSET = 0x13,
    CRTC_UNDERLINE = 0x14,
    CRTC_V_BLANK_START = 0x15,
    CRTC_V_BLANK_END = 0x16,
    CRTC_MODE = 0x17,
    CRTC_LINE_COMPARE = 0x18,
    CRTC_COUNT = 0x19,
};
enum {
    MAX_SCAN_DOUBLE = 0x80,
    SYNC_END_NOT_CLEAR = 0x10, /* clear: forgets the vertical interrupt */
    SYNC_END_NO_INTERRUPT = 0x20,
    CURSOR_OFF = 0x20,
    UNDERLINE_DOUBLEWORD = 0x40,
    UNDERLINE_COUNT_BY_4 = 0x20,
    CRTC_MODE_SCAN_13 = 0x01, /* clear: address bit 13 is row scan bit 0 */
    CRTC_MODE_SCAN_14 = 0x02, /* clear: address bit 14 is row scan bit 1 */
    CRTC_MODE_HALF_LINES = 0x04,
    CRTC_MODE_COUNT_BY_2 = 0x08,
    CRTC_MODE_WRAP_15 = 0x20, /* word mode: bit 15 comes round, not bit 13 */
    CRTC_MODE_BYTE = 0x40,
    CRTC_MODE_SYNC = 0x80
};

/* Graphics controller (3CE/3CF). */
enum {
    GFX_SET_RESET,
    GFX_ENABLE_SET_RESET,
    GFX_COLOR_COMPARE,
    GFX_ROTATE,
    GFX_READ_MAP,
    GFX_MODE,
    GFX_MISC,
    GFX_DONT_CARE,
    GFX_BIT_MASK,
    GFX_COUNT
};
enum {
    GFX_MODE_WRITE = 0x03,
    GFX_MODE_READ = 0x08,
    GFX_MODE_SHIFT_INTERLEAVE = 0x20,
    GFX_MODE_SHIFT_256 = 0x40,
    GFX_MISC_GRAPHICS = 0x01,
    GFX_MISC_CHAIN = 0x02,
    GFX_MISC_MAP = 0x0c,
    GFX_MISC_MAP_64K = 0x04
};

/* Attribute controller (3C0/3C1). */
enum {
    ATTR_MODE = 0x10,
    ATTR_OVERSCAN = 0x11,
    ATTR_PLANES = 0x12,
    ATTR_PAN = 0x13,
    ATTR_COLOR_SELECT = 0x14,
    ATTR_COUNT = 0x15
};
enum {
    ATTR_MODE_LINE_GRAPHICS = 0x04,
    ATTR_MODE_BLINK = 0x08,
    ATTR_MODE_PAN_TOP = 0x20, /* the lower part of a split screen is not panned */
    ATTR_MODE_P5P4 = 0x80,
    ATTR_INDEX_ENABLE = 0x20
};

/* Bochs VBE DISPI (1CE index, 1CF data). */
enum {
    DISPI_ID,
    DISPI_XRES,
    DISPI_YRES,
    DISPI_BPP,
    DISPI_ENABLE,
    DISPI_BANK,
    DISPI_VIRT_WIDTH,
    DISPI_VIRT_HEIGHT,
    DISPI_X_OFFSET,
    DISPI_Y_OFFSET,
    DISPI_MEMORY_64K,
    DISPI_COUNT
};
enum {
    DISPI_ENABLED = 0x01,
    DISPI_GETCAPS = 0x02,
    DISPI_8BIT_DAC = 0x20,
    DISPI_LFB = 0x40,
    DISPI_NO_CLEAR = 0x80
};
enum { DISPI_ID0 = 0xb0c0, DISPI_ID5 = 0xb0c5, DISPI_MAX_X = 2560, DISPI_MAX_Y = 1600 };

struct vga {
    struct board *board;   /* clock, log, memory */
    struct pci_device pci; /* 1234:1111 */
    u8 *vram;              /* video memory; see vga_cell for the planes' place in it */
    u64 ram_offset;        /* its place in the memfd */
    u8 seq_index;          /* 3C4 */
    u8 seq[SEQ_COUNT];     /* 3C5 */
    u8 crtc_index;         /* 3D4 */
    u8 crtc[CRTC_COUNT];   /* 3D5 */
    u8 gfx_index;          /* 3CE */
    u8 gfx[GFX_COUNT];     /* 3CF */
    u8 attr_index;         /* 3C0, with ATTR_INDEX_ENABLE */
    u8 attr[ATTR_COUNT];   /* 3C1 */
    bool attr_data;        /* flip-flop: the next write to 3C0 is data */
    u8 misc;               /* miscellaneous output, 3C2/3CC */
    u8 feature;            /* feature control */
    u8 dac[256][3];        /* red, green, blue; 6 bits, or 8 with DISPI_8BIT_DAC */
    u8 dac_mask;           /* 3C6 */
    u8 dac_read;           /* 3C7: index of the next read */
    u8 dac_write;          /* 3C8: index of the next write */
    u8 dac_part;           /* next component, 0-2 */
    u8 dac_state;          /* 3C7: 3 after a read index was set, 0 after a write index */
    u8 latch[4];           /* read by the last CPU read */
    u64 armed;             /* virtual time since which a vertical interrupt counts */
    u16 dispi_index;       /* VBE register selected */
    u16 dispi[DISPI_COUNT];
    u32 window;                  /* place in vram that A0000-AFFFF is, or WINDOW_PLANES */
    bool dirty;                  /* registers or planar memory changed since the last drawing */
    u8 blink;                    /* phases at the last drawing: bit 0 cursor, bit 1 characters */
    unsigned busy;               /* drawings for which lines are compared and no page is marked */
    unsigned patience;           /* how many they were the last time */
    const struct picture *drawn; /* the picture that has the last drawing */
};

/* A0000-AFFFF is not memory: accesses go through the graphics controller. */
#define WINDOW_PLANES UINT32_MAX

/* Where byte `address` of the four planes is in video memory. Bits 0 and 1 of the address come
 * last, so that chained memory (plane by address bits 0 and 1, those bits cleared) is linear. */
static inline unsigned vga_cell(unsigned address)
{
    address &= 0xffff;
    return (address >> 2 | (address & 3) << 14) * 4;
}

/* Memory at A0000-BFFFF (vga_memory.c): maps both halves, and the lower one again when registers
 * have changed what it is. */
bool vga_memory_create(struct vga *v);
void vga_memory_remap(struct vga *v);

/* A byte of the display's identification (vga_edid.c); 0 behind its end. */
u8 vga_edid(unsigned offset);

/* The VBE registers (vga_dispi.c). */
u16 vga_dispi_read(const struct vga *v, unsigned index);
void vga_dispi_write(struct vga *v, unsigned index, u16 value);
bool vga_dispi_is_sound(const struct vga *v);         /* after loading a state */
u64 vga_dispi_pitch(const struct vga *v, u32 pixels); /* bytes of a line of so many pixels */

static inline bool vga_is_dispi(const struct vga *v)
{
    return v->dispi[DISPI_ENABLE] & DISPI_ENABLED;
}
static inline bool vga_is_text(const struct vga *v)
{
    return !vga_is_dispi(v) && !(v->gfx[GFX_MISC] & GFX_MISC_GRAPHICS);
}

/* Geometry of the legacy modes, from the CRTC. */
struct vga_geometry {
    unsigned columns;      /* characters (8 or 9 dots) displayed in a line */
    unsigned lines;        /* scan lines displayed */
    unsigned row_height;   /* rows of dots in a row (characters), or repeats of a graphics line */
    unsigned repeats;      /* scan lines a row of dots */
    unsigned start;        /* address counter at the first row */
    unsigned pitch;        /* its step from row to row */
    unsigned line_compare; /* scan line after which the counter starts again from 0 */
    unsigned blank_start;  /* scan line at which vertical blanking starts */
    unsigned blank_column; /* character at which horizontal blanking starts */
};
struct vga_geometry vga_geometry(const struct vga *v);

/* The plane address that the CRTC puts out for an address counter in scan line `scan` of a row. */
unsigned vga_address(const struct vga *v, unsigned counter, unsigned scan);

/* The address counter at character x of a row that starts at `row`. */
unsigned vga_counter(const struct vga *v, unsigned row, unsigned x);

/* Dots in a character. */
static inline unsigned vga_char_width(const struct vga *v)
{
    return v->seq[SEQ_CLOCKING] & CLOCKING_8DOT || (v->gfx[GFX_MISC] & GFX_MISC_GRAPHICS) ? 8 : 9;
}

/* The sixteen colours behind the attribute controller. */
void vga_attr_colors(const struct vga *v, u32 color[16]);

/* One scan line of text: `columns` characters of the row that starts at `row` (vga_text.c). */
void vga_text_line(const struct vga *v, const u32 color[16], unsigned row, unsigned scan,
                   unsigned columns, u32 *to);

#endif
