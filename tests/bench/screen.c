/* Copies whole pictures of 1920 x 1080 x 32 into a frame buffer, for two seconds, and computes each
 * pixel of some, for two more: MB/s. A 32-bit program without a C library, for the host and for
 * Linux guests alike. Argument: the frame buffer, or nothing for memory. */
/* SPDX-License-Identifier: MIT */
typedef unsigned int u32;
typedef unsigned long long u64;

enum { WIDTH = 1920, HEIGHT = 1080, PIXELS = WIDTH * HEIGHT, BYTES = PIXELS * 4, SECONDS = 2 };
enum { SYS_EXIT = 1, SYS_WRITE = 4, SYS_OPEN = 5, SYS_MMAP2 = 192, SYS_CLOCK_GETTIME = 265 };
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

static u32 *map(const char *path)
{
    long fd = path ? call(SYS_OPEN, (long)path, O_RDWR, 0, 0, 0) : -1;
    if (path && fd < 0)
        return 0;
    long at = call(SYS_MMAP2, 0, BYTES, READ_WRITE, path ? SHARED : PRIVATE_ANONYMOUS, fd);
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
    u32 *picture = map(0), *screen = map(arguments[0] ? arguments[1] : 0);
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
