/* Copies whole pictures of 1920 x 1080 x 32 into a frame buffer, for a second, and computes each
 * pixel of some, for another: MB/s. A 32-bit program without a C library, for the host and for
 * Linux guests alike. Argument: the frame buffer, or nothing for shared memory of that size, which
 * is what the guest's frame buffer is on the host. */
/* SPDX-License-Identifier: MIT */
typedef unsigned int u32;
typedef unsigned long long u64;

enum { WIDTH = 1920, HEIGHT = 1080, PIXELS = WIDTH * HEIGHT, BYTES = PIXELS * 4, SECONDS = 1 };
enum { SYS_EXIT = 1, SYS_WRITE = 4, SYS_OPEN = 5, SYS_FTRUNCATE = 93, SYS_MMAP2 = 192 };
enum { SYS_CLOCK_GETTIME = 265, SYS_MEMFD_CREATE = 356 };
enum { READ_WRITE = 3, SHARED = 1, PRIVATE_ANONYMOUS = 0x22, O_RDWR = 2, CLOCK_MONOTONIC = 1 };

static long call(long n, long a, long b, long c, long d, long e)
{
    long result;
    asm volatile("push %%ebp; xor %%ebp, %%ebp; int $0x80; pop %%ebp"
                 : "=a"(result)
                 : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                 : "memory");
    return result;
}

static u32 milliseconds(void)
{
    long t[2];
    call(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, (long)t, 0, 0, 0);
    return (u32)t[0] * 1000 + (u32)t[1] / 1000000;
}

static void print(const char *text)
{
    u32 size = 0;
    while (text[size])
        size++;
    call(SYS_WRITE, 1, (long)text, (long)size, 0, 0);
}

static void print_number(u32 n)
{
    char text[12], *p = text + 11;
    *p = 0;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    print(p);
}

static void copy(u32 *to, const u32 *from)
{
    u32 count = PIXELS;
    asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void draw(u32 *to, u32 frame)
{
    for (u32 y = 0; y < HEIGHT; y++)
        for (u32 x = 0; x < WIDTH; x++)
            *to++ = (x ^ y) * 0x010203 + frame;
    asm volatile("" : : : "memory");
}

/* A frame buffer: of a device, or in memory. */
static long open_screen(const char *path)
{
    if (path)
        return call(SYS_OPEN, (long)path, O_RDWR, 0, 0, 0);
    long fd = call(SYS_MEMFD_CREATE, (long)"screen", 0, 0, 0, 0);
    call(SYS_FTRUNCATE, fd, BYTES, 0, 0, 0);
    return fd;
}

static u32 *map(long flags, long fd)
{
    long at = call(SYS_MMAP2, 0, BYTES, READ_WRITE, flags, fd);
    return (unsigned long)at > -4096ul ? 0 : (u32 *)at;
}

/* MB/s, in turns of one picture. */
static u32 rate(u32 *screen, const u32 *picture)
{
    u32 begin = milliseconds(), now = begin, frames = 0;
    for (; now - begin < SECONDS * 1000; now = milliseconds(), frames++) {
        if (picture)
            copy(screen, picture);
        else
            draw(screen, frames);
    }
    return frames * (BYTES / 1000) / (now - begin);
}

void run(char **arguments);

void run(char **arguments)
{
    u32 *picture = map(PRIVATE_ANONYMOUS, -1);
    u32 *screen = map(SHARED, open_screen(arguments[0] ? arguments[1] : 0));
    if (!screen || !picture) {
        print("no frame buffer\n");
        call(SYS_EXIT, 1, 0, 0, 0, 0);
    }
    draw(picture, 0);
    copy(screen, picture);
    print("copying ");
    print_number(rate(screen, picture));
    print(" MB/s, drawing ");
    print_number(rate(screen, 0));
    print(" MB/s\n");
    call(SYS_EXIT, 0, 0, 0, 0, 0);
}

/* argc, argv[0], ... are on the stack. */
asm(".globl _start\n_start: lea 4(%esp), %eax; push %eax; call run");
