/* Compression: the one place that knows zlib. */
/* SPDX-License-Identifier: MIT */
#ifndef HW_IMAGE_DEFLATE_H
#define HW_IMAGE_DEFLATE_H

#include "cpu/base.h"

/* Raw deflate, as in compressed clusters of qcow2 (RFC 1951, window of 4 KiB). Returns the size of
 * the output, 0 if it would not fit into room. */
size_t deflate_raw(u8 *to, size_t room, const u8 *from, size_t size);
/* The other way: true if it gave exactly size bytes; what follows the stream is ignored. */
bool inflate_raw(u8 *to, size_t size, const u8 *from, size_t from_size);

/* A zlib stream (RFC 1950), level 0 (as it is), 1 (fast) to 9. *to is allocated; returns its size.
 */
size_t deflate_zlib(u8 **to, const u8 *from, size_t size, int level);
bool inflate_zlib(u8 *to, size_t size, const u8 *from, size_t from_size);

/* CRC-32 of RFC 1952, continued from crc (0 at first). */
u32 crc32_add(u32 crc, const void *data, size_t size);

/* A gzip file (RFC 1952) that is written or read from start to end. */
struct gzip;
struct gzip *gzip_create(const char *path, struct error *err); /* NULL with *err set */
struct gzip *gzip_open(const char *path, struct error *err);
bool gzip_write(struct gzip *g, const void *data, size_t size);
size_t gzip_read(struct gzip *g, void *data, size_t size); /* less than size: the end, or damage */
bool gzip_rewind(struct gzip *g);
bool gzip_close(struct gzip *g); /* false: not all of it could be written */

#endif
