/* Motorola MC146818A real-time clock (datasheet ADI856R2) with the PC's century byte at 32h. The
 * calendar and the interrupt flags are functions of virtual time; a timer runs only for an
 * interrupt that is enabled. */
/* SPDX-License-Identifier: MIT */
#include "hw/mc146818.h"

#include <stdlib.h>
#include <string.h>

enum {
    SECONDS,
    SECONDS_ALARM,
    MINUTES,
    MINUTES_ALARM,
    HOURS,
    HOURS_ALARM,
    DAY_OF_WEEK, /* 1: Sunday */
    DAY_OF_MONTH,
    MONTH,
    YEAR,
    REGISTER_A,
    REGISTER_B,
    REGISTER_C,
    REGISTER_D,
    CENTURY = 0x32,
    CMOS_SIZE = 128,
};

enum {
    A_UIP = 0x80,      /* update in progress */
    A_DV = 0x70,       /* divider: time base */
    A_DV_RESET = 0x60, /* the divider is held in reset when both bits are set */
    A_RS = 0x0f,       /* rate of the periodic interrupt */
    B_SET = 0x80,      /* the calendar stands still and may be written */
    B_PIE = 0x40,      /* periodic interrupt enable */
    B_AIE = 0x20,      /* alarm interrupt enable */
    B_UIE = 0x10,      /* update-ended interrupt enable */
    B_SQWE = 0x08,     /* square wave enable */
    B_DM = 0x04,       /* binary, else BCD */
    B_24H = 0x02,      /* 24 hours, else 12 with PM in bit 7 */
    C_IRQF =
        0x80, /* interrupt request; below it the three causes, at the places of their enable bits */
    C_PF = 0x40,
    C_AF = 0x20,
    C_UF = 0x10,
    D_VRT = 0x80,     /* the battery is good */
    ALARM_ANY = 0xc0, /* alarm bytes with both bits set match anything */
    HOUR_PM = 0x80,
    INDEX_NMI_OFF = 0x80,
};

enum { DAY = 86400, BASE_HZ = 32768 };

/* UIP is set for 244 us before the update and the 1984 us of the update itself; the calendar
 * changes at its end. */
enum { UIP_NS = 2228000 };

/* Periodic interrupts that are given afterwards at most, and how many in the time of a regular one.
 */
enum { MOST_OWED = 8192, PAY_RATE = 4 };

struct mc146818 {
    u8 index;            /* as written, bit 7 included */
    u8 cmos[CMOS_SIZE];  /* alarm, A, B, C's flags, memory; the calendar only while it stands still
                          */
    s64 phase;           /* virtual ns at which the divider chain began a second */
    s64 epoch;           /* calendar at `phase`, seconds since 1970 */
    u8 weekday_shift;    /* added to the true day of the week: the guest may set any */
    u64 seen;            /* virtual ns up to which the flags of register C are known */
    u64 owed;            /* enabled periodic interrupts that came while one waited */
    u64 pay;             /* virtual ns at which one of them is given, if none waits */
    struct clock *clock; /* virtual time */
    struct timer timer;  /* next interrupt */
    u16 base;            /* index port */
    struct irq_line irq; /* interrupt request output */
};

struct calendar {
    int second;  /* 0 to 59 */
    int minute;  /* 0 to 59 */
    int hour;    /* 0 to 23 */
    int weekday; /* 0: Sunday */
    int day;     /* 1 to 31 */
    int month;   /* 1 to 12 */
    int year;    /* with the century */
};

static s64 floor_div(s64 a, s64 b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 of a date in the Gregorian calendar; the year begins in March, so that leap
 * days end it. */
static s64 days_from_date(s64 year, int month, int day)
{
    year -= month <= 2;
    s64 era = floor_div(year, 400), of_era = year - era * 400;
    s64 of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static struct calendar calendar_from_seconds(s64 seconds)
{
    s64 days = floor_div(seconds, DAY);
    int of_day = (int)(seconds - days * DAY);
    s64 z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    s64 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int doy = (int)(doe - (365 * yoe + yoe / 4 - yoe / 100)), mp = (5 * doy + 2) / 153;
    int month = mp < 10 ? mp + 3 : mp - 9;
    return (struct calendar){
        .second = of_day % 60,
        .minute = of_day / 60 % 60,
        .hour = of_day / 3600,
        .weekday = (int)(days - floor_div(days + 4, 7) * 7 + 4),
        .day = doy - (153 * mp + 2) / 5 + 1,
        .month = month,
        .year = (int)(yoe + era * 400 + (month <= 2)),
    };
}

static bool calendar_runs(const struct mc146818 *rtc)
{
    return !(rtc->cmos[REGISTER_B] & B_SET) && (rtc->cmos[REGISTER_A] & A_DV_RESET) != A_DV_RESET;
}

static bool divider_runs(const struct mc146818 *rtc)
{
    return (rtc->cmos[REGISTER_A] & A_DV_RESET) != A_DV_RESET;
}

static u8 encode(const struct mc146818 *rtc, int n)
{
    return (u8)(rtc->cmos[REGISTER_B] & B_DM ? n : n / 10 % 10 << 4 | n % 10);
}

static int decode(const struct mc146818 *rtc, u8 value)
{
    return rtc->cmos[REGISTER_B] & B_DM ? value : (value >> 4) * 10 + (value & 15);
}

static u8 encode_hour(const struct mc146818 *rtc, int hour)
{
    if (rtc->cmos[REGISTER_B] & B_24H)
        return encode(rtc, hour);
    return encode(rtc, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0);
}

static int decode_hour(const struct mc146818 *rtc, u8 value)
{
    if (rtc->cmos[REGISTER_B] & B_24H)
        return decode(rtc, value);
    return decode(rtc, value & ~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

/* Whole seconds of the divider chain since `phase`. */
static s64 divider_seconds(const struct mc146818 *rtc, u64 now)
{
    return floor_div((s64)now - rtc->phase, NS_PER_SEC);
}

/* Copies the running calendar to the registers. */
static void freeze(struct mc146818 *rtc, u64 now)
{
    s64 seconds = rtc->epoch + divider_seconds(rtc, now);
    struct calendar c = calendar_from_seconds(seconds);
    int year = c.year < 0 ? 0 : c.year;
    rtc->cmos[SECONDS] = encode(rtc, c.second);
    rtc->cmos[MINUTES] = encode(rtc, c.minute);
    rtc->cmos[HOURS] = encode_hour(rtc, c.hour);
    rtc->cmos[DAY_OF_WEEK] = encode(rtc, (c.weekday + rtc->weekday_shift) % 7 + 1);
    rtc->cmos[DAY_OF_MONTH] = encode(rtc, c.day);
    rtc->cmos[MONTH] = encode(rtc, c.month);
    rtc->cmos[YEAR] = encode(rtc, year % 100);
    rtc->cmos[CENTURY] = (u8)(year / 1000 % 10 << 4 | year / 100 % 10);
}

/* Lets the calendar run on from what the registers say; values out of range carry over. */
static void thaw(struct mc146818 *rtc, u64 now)
{
    const u8 *r = rtc->cmos;
    int century = (r[CENTURY] >> 4) * 10 + (r[CENTURY] & 15);
    int month = decode(rtc, r[MONTH]);
    s64 days = days_from_date(century * 100 + decode(rtc, r[YEAR]),
                              month < 1 || month > 12 ? 1 : month, decode(rtc, r[DAY_OF_MONTH]));
    s64 seconds = days * DAY + decode_hour(rtc, r[HOURS]) * 3600 + decode(rtc, r[MINUTES]) * 60 +
                  decode(rtc, r[SECONDS]);
    int weekday = (decode(rtc, r[DAY_OF_WEEK]) + 6) % 7;
    rtc->epoch = seconds - divider_seconds(rtc, now);
    rtc->weekday_shift = (u8)((weekday - calendar_from_seconds(seconds).weekday + 7) % 7);
}

/* Period of the periodic interrupt in ticks of 32768 Hz; 0 if it is off. */
static unsigned periodic_ticks(const struct mc146818 *rtc)
{
    unsigned rate = rtc->cmos[REGISTER_A] & A_RS;
    if (!rate || !divider_runs(rtc))
        return 0;
    return rate <= 2 ? 64u << rate : 1u << (rate - 1);
}

static u64 ticks_since_phase(const struct mc146818 *rtc, u64 ns)
{
    return clock_ticks(ns - (u64)rtc->phase, BASE_HZ);
}

static bool alarm_matches(u8 alarm, u8 value)
{
    return alarm >= ALARM_ANY || alarm == value;
}

/* The first second after `after` (both as the calendar counts) at which the alarm strikes;
 * INT64_MAX if never. */
static s64 next_alarm(const struct mc146818 *rtc, s64 after)
{
    const u8 *r = rtc->cmos;
    for (s64 t = after + 1, end = t + DAY; t < end;) {
        s64 of_day = t - floor_div(t, DAY) * DAY;
        if (!alarm_matches(r[HOURS_ALARM], encode_hour(rtc, (int)(of_day / 3600))))
            t += 3600 - of_day % 3600;
        else if (!alarm_matches(r[MINUTES_ALARM], encode(rtc, (int)(of_day / 60 % 60))))
            t += 60 - of_day % 60;
        else if (!alarm_matches(r[SECONDS_ALARM], encode(rtc, (int)(of_day % 60))))
            t++;
        else
            return t;
    }
    return INT64_MAX;
}

/* Virtual ns of the first time after `from` at which this flag comes up; CLOCK_NEVER if it does
 * not. */
static u64 next_flag(const struct mc146818 *rtc, u8 flag, u64 from)
{
    s64 second = divider_seconds(rtc, from);
    unsigned period = periodic_ticks(rtc);
    if (flag == C_PF) {
        if (!period)
            return CLOCK_NEVER;
        u64 ticks = ticks_since_phase(rtc, from) / period * period + period;
        u64 regular = (u64)rtc->phase + clock_ns(ticks, BASE_HZ);
        return rtc->owed && rtc->pay < regular ? rtc->pay : regular;
    }
    if (!calendar_runs(rtc))
        return CLOCK_NEVER;
    if (flag == C_AF) {
        s64 alarm = next_alarm(rtc, rtc->epoch + second);
        if (alarm == INT64_MAX)
            return CLOCK_NEVER;
        second = alarm - rtc->epoch - 1;
    }
    return (u64)(rtc->phase + (second + 1) * (s64)NS_PER_SEC);
}

static void drive_irq(struct mc146818 *rtc)
{
    u8 *c = &rtc->cmos[REGISTER_C];
    *c &= C_PF | C_AF | C_UF;
    if (*c & rtc->cmos[REGISTER_B])
        *c |= C_IRQF;
    irq_set(&rtc->irq, *c & C_IRQF);
}

/* The periodic flag. On the chip, what comes while one waits is lost; but a host with other work to
 * do makes the guest so slow that this happens to guests that count these interrupts, which would
 * lose time: they are given afterwards, as those of the 8254. */
static void catch_up_periodic(struct mc146818 *rtc, u64 now)
{
    unsigned period = periodic_ticks(rtc);
    u8 *c = &rtc->cmos[REGISTER_C];
    if (!period)
        return;
    u64 come = ticks_since_phase(rtc, now) / period - ticks_since_phase(rtc, rtc->seen) / period;
    if (!(*c & C_PF) && come) {
        *c |= C_PF;
        come--;
    } else if (!(*c & C_PF) && rtc->owed && rtc->pay <= now) {
        *c |= C_PF;
        rtc->owed--;
    }
    if (rtc->cmos[REGISTER_B] & B_PIE)
        rtc->owed = rtc->owed + come < MOST_OWED ? rtc->owed + come : MOST_OWED;
}

/* Sets the flags for all that has happened up to now. */
static void catch_up(struct mc146818 *rtc, u64 now)
{
    catch_up_periodic(rtc, now);
    for (u8 flag = C_UF; flag < C_PF; flag <<= 1) {
        if (!(rtc->cmos[REGISTER_C] & flag) && next_flag(rtc, flag, rtc->seen) <= now)
            rtc->cmos[REGISTER_C] |= flag;
    }
    rtc->seen = now;
    drive_irq(rtc);
}

/* Sets the timer for the next enabled interrupt; while one waits to be read from C there is nothing
 * to add. */
static void schedule(struct mc146818 *rtc)
{
    u64 due = CLOCK_NEVER;
    for (u8 flag = C_UF; flag <= C_PF && !(rtc->cmos[REGISTER_C] & C_IRQF); flag <<= 1) {
        u64 at = rtc->cmos[REGISTER_B] & flag ? next_flag(rtc, flag, rtc->seen) : CLOCK_NEVER;
        due = at < due ? at : due;
    }
    timer_set(&rtc->timer, due);
}

static void interrupt_due(void *opaque, u64 now)
{
    struct mc146818 *rtc = opaque;
    catch_up(rtc, now);
    schedule(rtc);
}

/* RESET# clears the interrupt enables and flags; time and memory stay. */
static void mc146818_reset(void *dev)
{
    struct mc146818 *rtc = dev;
    rtc->seen = clock_now(rtc->clock);
    rtc->cmos[REGISTER_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    rtc->cmos[REGISTER_C] = 0;
    rtc->owed = 0;
    rtc->index = 0;
    drive_irq(rtc);
    schedule(rtc);
}

static bool is_calendar(unsigned reg)
{
    return reg == SECONDS || reg == MINUTES || reg == HOURS ||
           (reg >= DAY_OF_WEEK && reg <= YEAR) || reg == CENTURY;
}

static bool update_in_progress(const struct mc146818 *rtc, u64 now)
{
    u64 into = (u64)((s64)now - rtc->phase - divider_seconds(rtc, now) * (s64)NS_PER_SEC);
    return calendar_runs(rtc) && into >= NS_PER_SEC - UIP_NS;
}

static u8 read_c(struct mc146818 *rtc, u64 now)
{
    catch_up(rtc, now);
    u8 value = rtc->cmos[REGISTER_C];
    rtc->cmos[REGISTER_C] = 0;
    rtc->pay = now + clock_ns(periodic_ticks(rtc), BASE_HZ) / PAY_RATE;
    drive_irq(rtc);
    schedule(rtc);
    return value;
}

static u32 mc146818_read(void *dev, u16 port, unsigned size)
{
    struct mc146818 *rtc = dev;
    unsigned reg = rtc->index % CMOS_SIZE;
    u64 now = clock_now(rtc->clock);
    (void)size;
    if (port == rtc->base)
        return 0xff; /* the index cannot be read back */
    if (is_calendar(reg) && calendar_runs(rtc))
        freeze(rtc, now);
    switch (reg) {
    case REGISTER_A: return rtc->cmos[reg] | (update_in_progress(rtc, now) ? A_UIP : 0);
    case REGISTER_C: return read_c(rtc, now);
    case REGISTER_D: return D_VRT;
    default: return rtc->cmos[reg];
    }
}

static void write_a(struct mc146818 *rtc, u8 value, u64 now)
{
    bool held = !divider_runs(rtc), ran = calendar_runs(rtc);
    if (ran)
        freeze(rtc, now);
    rtc->cmos[REGISTER_A] = value & ~A_UIP;
    rtc->owed = 0;
    if (held && divider_runs(rtc))
        rtc->phase =
            (s64)now - (s64)NS_PER_SEC / 2; /* the first update comes half a second later */
    if (!ran && calendar_runs(rtc))
        thaw(rtc, now);
}

static void write_b(struct mc146818 *rtc, u8 value, u64 now)
{
    bool ran = calendar_runs(rtc);
    if (ran)
        freeze(rtc, now);
    if (value & B_SET)
        value &= ~B_UIE;
    rtc->cmos[REGISTER_B] = value;
    if (!(value & B_PIE))
        rtc->owed = 0;
    if (calendar_runs(rtc))
        thaw(rtc, now);
}

static void write_register(struct mc146818 *rtc, unsigned reg, u8 value, u64 now)
{
    bool running = calendar_runs(rtc);
    switch (reg) {
    case REGISTER_A: write_a(rtc, value, now); break;
    case REGISTER_B: write_b(rtc, value, now); break;
    case REGISTER_C:
    case REGISTER_D: break;
    default:
        if (is_calendar(reg) && running)
            freeze(rtc, now);
        rtc->cmos[reg] = value;
        if (is_calendar(reg) && running)
            thaw(rtc, now);
        break;
    }
}

static void mc146818_write(void *dev, u16 port, u32 value, unsigned size)
{
    struct mc146818 *rtc = dev;
    u64 now = clock_now(rtc->clock);
    (void)size;
    if (port == rtc->base) {
        rtc->index = (u8)value;
        return;
    }
    unsigned reg = rtc->index % CMOS_SIZE;
    if (reg > REGISTER_D && reg != CENTURY) {
        rtc->cmos[reg] = (u8)value;
        return;
    }
    catch_up(rtc, now);
    write_register(rtc, reg, (u8)value, now);
    drive_irq(rtc);
    schedule(rtc);
}

void mc146818_set_cmos(struct mc146818 *rtc, unsigned index, u8 value)
{
    if (index > REGISTER_D && index < CMOS_SIZE && index != CENTURY)
        rtc->cmos[index] = value;
}

u8 mc146818_cmos(const struct mc146818 *rtc, unsigned index)
{
    return rtc->cmos[index % CMOS_SIZE];
}

bool mc146818_nmi_masked(const struct mc146818 *rtc)
{
    return rtc->index & INDEX_NMI_OFF;
}

/* Times are saved relative to now, so that a state may be loaded at another virtual time. */
static void mc146818_state(void *dev, struct state *s)
{
    struct mc146818 *rtc = dev;
    u64 now = clock_now(rtc->clock), since = now - (u64)rtc->phase, epoch = (u64)rtc->epoch;
    u64 unseen = now - rtc->seen;
    state_u8(s, "index", &rtc->index);
    state_data(s, "cmos", rtc->cmos, sizeof rtc->cmos);
    state_u64(s, "since_phase", &since);
    state_u64(s, "epoch", &epoch);
    state_u8(s, "weekday_shift", &rtc->weekday_shift);
    state_u64(s, "unseen", &unseen);
    state_u64(s, "owed", &rtc->owed);
    if (!state_loading(s))
        return;
    if (since > INT64_MAX / 4 || (epoch + BIT64(40)) >> 41 || unseen > now || unseen > since ||
        rtc->weekday_shift > 6) {
        state_fail(s, "mc146818: a value is out of range");
        since = epoch = unseen = rtc->weekday_shift = 0;
    }
    rtc->phase = (s64)(now - since);
    rtc->epoch = (s64)epoch;
    rtc->seen = now - unseen;
    rtc->owed = rtc->owed < MOST_OWED ? rtc->owed : MOST_OWED;
    rtc->pay = now;
    rtc->cmos[REGISTER_A] &= ~A_UIP;
    drive_irq(rtc);
    schedule(rtc);
}

static void mc146818_destroy(void *dev)
{
    struct mc146818 *rtc = dev;
    timer_cancel(&rtc->timer);
    free(rtc);
}

static const struct device_ops mc146818_device = {
    .name = "mc146818",
    .reset = mc146818_reset,
    .state = mc146818_state,
    .destroy = mc146818_destroy,
};

static const struct ioport_ops mc146818_ports = {
    .read = mc146818_read, .write = mc146818_write, .max_size = 1};

struct mc146818 *mc146818_create(struct board *b, u16 base, s64 epoch, struct irq_line irq8)
{
    struct mc146818 *rtc = xcalloc(1, sizeof *rtc);
    rtc->clock = b->clock;
    rtc->base = base;
    rtc->irq = irq8;
    rtc->phase = (s64)clock_now(b->clock);
    rtc->epoch = epoch;
    rtc->cmos[REGISTER_A] = 0x26; /* 32768 Hz crystal, 1024 Hz periodic rate */
    rtc->cmos[REGISTER_B] = B_24H;
    timer_init(&rtc->timer, b->clock, interrupt_due, rtc);
    board_add(b, &mc146818_device, rtc);
    mc146818_reset(rtc);
    return ioport_add(b->io, base, 2, &mc146818_ports, rtc, "mc146818", b->err) ? rtc : NULL;
}
