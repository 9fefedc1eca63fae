/* A Linux program without a C library: formats the 1.44M disk in /dev/fd1 by the ioctls of
 * <linux/fd.h>, and says how many tracks could not be formatted. */
/* SPDX-License-Identifier: MIT */
enum { EXIT = 1, WRITE = 4, OPEN = 5, IOCTL = 54 };                 /* system calls */
enum { FDFMTBEG = 0x247, FDFMTTRK = 0x400c0248, FDFMTEND = 0x249 }; /* requests */
enum { READ_WRITE = 02, EXCLUSIVE = 0200, CYLINDERS = 80, HEADS = 2 };

/* The argument of FDFMTTRK. */
struct track {
    unsigned device;   /* not used */
    unsigned head;     /* 0 or 1 */
    unsigned cylinder; /* 0 to 79 */
};

static int call(int number, int a, int b, int c)
{
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}

void _start(void);
void _start(void)
{
    static const char name[] = "/dev/fd1";
    int failed = 0, fd = call(OPEN, (int)name, READ_WRITE | EXCLUSIVE, 0);
    failed += call(IOCTL, fd, FDFMTBEG, 0) != 0;
    for (unsigned n = 0; n < CYLINDERS * HEADS; n++) {
        struct track track = {.head = n % HEADS, .cylinder = n / HEADS};
        failed += call(IOCTL, fd, FDFMTTRK, (int)&track) != 0;
    }
    failed += call(IOCTL, fd, FDFMTEND, 0) != 0;
    char text[] = "000 failed\n";
    for (int n = 2, rest = failed; n >= 0; n--, rest /= 10)
        text[n] = (char)('0' + rest % 10);
    call(WRITE, 1, (int)text, sizeof text - 1);
    call(EXIT, failed != 0, 0, 0);
}
