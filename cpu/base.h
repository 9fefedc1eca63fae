/* The house's common ground: integer types, errors for the user, the log, checked allocation. */
/* SPDX-License-Identifier: MIT */
#ifndef CPU_BASE_H
#define CPU_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define BIT(n)                          (1u << (n))
#define BIT64(n)                        (1ull << (n))
#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define PRINTF_LIKE(fmt, args)          __attribute__((format(printf, fmt, args)))

enum { PAGE_SHIFT = 12, PAGE_SIZE = 4096 };
#define PAGE_MASK (~(u64)0xfff)

/* What the user has to be told: one line, no newline, names what is wrong and what to do. */
struct error {
    char text[512]; /* empty while nothing is wrong */
};

/* Fills *err (which may be NULL) and returns false, so that callers can `return error_set(...)`. */
bool error_set(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Prints "prescient: ..." on stderr and exits with status 1: for the front end and for exhausted
 * memory. */
_Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Where the guest's oddities are told: each distinct message once, so that a guest cannot flood the
 * host. */
struct log {
    const void *seen[256]; /* hash set of (format, key) pairs already told; the format's address */
    u64 seen_key[256];     /* the key that goes with seen[] */
    unsigned count;        /* entries in use; when full, new messages are dropped */
    FILE *oddities;        /* where log_once prints; NULL: it only counts */
    bool quiet;            /* log_line does not print */
};

/* Prints "prescient: ..." on stderr unless the log is quiet. log may be NULL: prints. */
void log_line(struct log *log, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Tells an oddity of the guest, the first time that this format comes with this key (a port, an
 * address, ...). */
void log_once(struct log *log, u64 key, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Allocation that never returns NULL: when memory is exhausted the process ends with one clear
 * line. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size); /* zeroed */
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Little-endian loads and stores at any alignment. */
static inline u16 load_le16(const void *p)
{
    u16 v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
static inline u32 load_le32(const void *p)
{
    u32 v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
static inline u64 load_le64(const void *p)
{
    u64 v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
static inline void store_le16(void *p, u16 v)
{
    __builtin_memcpy(p, &v, sizeof v);
}
static inline void store_le32(void *p, u32 v)
{
    __builtin_memcpy(p, &v, sizeof v);
}
static inline void store_le64(void *p, u64 v)
{
    __builtin_memcpy(p, &v, sizeof v);
}

#endif
