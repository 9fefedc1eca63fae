/* 8259A pair: initialization, priorities, end of interrupt, modes, spurious interrupts (datasheet
 * 231468). */
/* SPDX-License-Identifier: MIT */
#include "hw/i8259.h"
#include "tests/unit/rig.h"

static struct rig *r;
static struct i8259 *pic;

static void init_chip(u16 port, u8 base, u8 icw3, u8 icw4)
{
    rig_out(r, port, 0x11);
    rig_out(r, port + 1, base);
    rig_out(r, port + 1, icw3);
    rig_out(r, port + 1, icw4);
}

static void start_with(u8 icw4)
{
    r = rig_new();
    pic = i8259_create(&r->b, 0x20, 0xa0, 0x4d0, rig_wire(r, 0));
    ck_assert_ptr_nonnull(pic);
    init_chip(0x20, 0x08, 0x04, icw4);
    init_chip(0xa0, 0x70, 0x02, icw4 & ~0x10);
}

static void set(unsigned irq, bool level)
{
    struct irq_line line = i8259_input(pic, irq);
    irq_set(&line, level);
}

static void pulse(unsigned irq)
{
    set(irq, false);
    set(irq, true);
}

static u8 isr(u16 port)
{
    rig_out(r, port, 0x0b);
    return rig_in(r, port);
}

static u8 irr(u16 port)
{
    rig_out(r, port, 0x0a);
    return rig_in(r, port);
}

START_TEST(vector_and_eoi)
{
    start_with(1);
    ck_assert(!r->level[0]);
    pulse(1);
    ck_assert(r->level[0]);
    ck_assert_int_eq(irr(0x20), 0x02);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x09);
    ck_assert(!r->level[0]);
    ck_assert_int_eq(isr(0x20), 0x02);
    ck_assert_int_eq(irr(0x20), 0x00);
    rig_out(r, 0x20, 0x20);
    ck_assert_int_eq(isr(0x20), 0x00);
    rig_free(r);
}
END_TEST

START_TEST(priority_and_nesting)
{
    start_with(1);
    pulse(3);
    pulse(5);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x0b);
    ck_assert(!r->level[0]); /* 5 waits for 3 */
    pulse(1);
    ck_assert(r->level[0]); /* 1 does not */
    ck_assert_int_eq(i8259_acknowledge(pic), 0x09);
    rig_out(r, 0x20, 0x20); /* ends 1, the highest in service */
    ck_assert_int_eq(isr(0x20), 0x08);
    ck_assert(!r->level[0]);
    rig_out(r, 0x20, 0x63); /* specific EOI of 3 */
    ck_assert(r->level[0]);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x0d);
    rig_free(r);
}
END_TEST

START_TEST(slave_cascade)
{
    start_with(1);
    pulse(12);
    ck_assert_int_eq(irr(0x20), 0x04);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x74);
    ck_assert_int_eq(isr(0x20), 0x04);
    ck_assert_int_eq(isr(0xa0), 0x10);
    pulse(9); /* higher in the slave, but fully nested mode blocks the cascade */
    ck_assert(!r->level[0]);
    rig_out(r, 0xa0, 0x20);
    rig_out(r, 0x20, 0x20);
    ck_assert(r->level[0]);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x71);
    rig_free(r);
}
END_TEST

START_TEST(special_fully_nested)
{
    start_with(0x11);
    pulse(12);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x74);
    pulse(13);
    ck_assert(!r->level[0]);
    pulse(9);
    ck_assert(r->level[0]);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x71);
    rig_free(r);
}
END_TEST

START_TEST(masking)
{
    start_with(1);
    rig_out(r, 0x21, 0x02);
    ck_assert_int_eq(rig_in(r, 0x21), 0x02);
    pulse(1);
    ck_assert(!r->level[0]);
    rig_out(r, 0x21, 0x00);
    ck_assert(r->level[0]);
    rig_free(r);
}
END_TEST

START_TEST(edge_needs_a_new_rise)
{
    start_with(1);
    pulse(4);
    i8259_acknowledge(pic);
    rig_out(r, 0x20, 0x20);
    ck_assert(!r->level[0]); /* still high, but no edge */
    set(4, true);
    ck_assert(!r->level[0]);
    pulse(4);
    ck_assert(r->level[0]);
    rig_free(r);
}
END_TEST

START_TEST(level_triggered_by_elcr)
{
    start_with(1);
    rig_out(r, 0x4d0, 0xff);
    rig_out(r, 0x4d1, 0xff);
    ck_assert_int_eq(rig_in(r, 0x4d0), 0xf8);
    ck_assert_int_eq(rig_in(r, 0x4d1), 0xde);
    set(11, true);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x73);
    rig_out(r, 0xa0, 0x20);
    rig_out(r, 0x20, 0x20);
    ck_assert(r->level[0]); /* the device still asks */
    set(11, false);
    ck_assert(!r->level[0]);
    rig_free(r);
}
END_TEST

START_TEST(spurious)
{
    start_with(1);
    pulse(3);
    set(3, false);
    ck_assert(!r->level[0]);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x0f);
    ck_assert_int_eq(isr(0x20), 0x00);
    rig_free(r);
}
END_TEST

START_TEST(automatic_eoi)
{
    start_with(3);
    pulse(1);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x09);
    ck_assert_int_eq(isr(0x20), 0x00);
    pulse(10);
    pulse(11);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x72);
    ck_assert(r->level[0]);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x73);
    ck_assert(!r->level[0]);
    rig_free(r);
}
END_TEST

START_TEST(rotation)
{
    start_with(1);
    pulse(0);
    i8259_acknowledge(pic);
    rig_out(r, 0x20, 0xa0); /* rotate on non-specific EOI: 0 is lowest now */
    pulse(0);
    pulse(7);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x0f);
    rig_out(r, 0x20, 0x67);
    rig_out(r, 0x20, 0xc3); /* set priority: 3 is lowest, 4 highest */
    pulse(3);
    pulse(4);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x0c);
    rig_out(r, 0x20, 0xe4); /* rotate on specific EOI of 4 */
    pulse(5);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x0d);
    rig_free(r);
}
END_TEST

START_TEST(rotate_in_automatic_eoi)
{
    start_with(3);
    rig_out(r, 0x20, 0x80);
    pulse(1);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x09);
    pulse(0);
    pulse(3);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x0b); /* 1 is lowest: 2 3 4 5 6 7 0 1 */
    rig_out(r, 0x20, 0x00);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x08);
    rig_free(r);
}
END_TEST

START_TEST(special_mask)
{
    start_with(1);
    pulse(1);
    i8259_acknowledge(pic);
    rig_out(r, 0x21, 0x02);
    pulse(6);
    ck_assert(!r->level[0]); /* 1 in service blocks it though it is masked */
    rig_out(r, 0x20, 0x68);
    ck_assert(r->level[0]);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x0e);
    rig_out(r, 0x20, 0x20); /* non-specific EOI passes over the masked level */
    ck_assert_int_eq(isr(0x20), 0x02);
    rig_out(r, 0x20, 0x48);
    pulse(6);
    ck_assert(!r->level[0]);
    rig_free(r);
}
END_TEST

START_TEST(poll)
{
    start_with(1);
    rig_out(r, 0x20, 0x0c);
    ck_assert_int_eq(rig_in(r, 0x20) & 0x80, 0);
    pulse(5);
    rig_out(r, 0x20, 0x0c);
    ck_assert_int_eq(rig_in(r, 0x20), 0x85);
    ck_assert_int_eq(isr(0x20), 0x20);
    ck_assert(!r->level[0]);
    rig_free(r);
}
END_TEST

START_TEST(icw1_clears)
{
    start_with(1);
    rig_out(r, 0x21, 0xff);
    pulse(4);
    rig_out(r, 0x20, 0x13); /* single, ICW4 */
    rig_out(r, 0x21, 0x40);
    rig_out(r, 0x21, 0x01);
    ck_assert_int_eq(rig_in(r, 0x21), 0x00);
    ck_assert_int_eq(irr(0x20), 0x00); /* the edge is forgotten */
    pulse(9);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x42); /* no cascade: IR2 itself */
    rig_free(r);
}
END_TEST

START_TEST(saved_and_loaded)
{
    start_with(1);
    rig_out(r, 0x21, 0x10);
    rig_out(r, 0x4d1, 0x08);
    pulse(12);
    i8259_acknowledge(pic);
    pulse(1);
    rig_save_and_load(r);
    ck_assert(r->level[0]);
    ck_assert_int_eq(rig_in(r, 0x21), 0x10);
    ck_assert_int_eq(rig_in(r, 0x4d1), 0x08);
    ck_assert_int_eq(isr(0xa0), 0x10);
    ck_assert_int_eq(i8259_acknowledge(pic), 0x09);
    rig_free(r);
}
END_TEST

START_TEST(ports_taken)
{
    start_with(1);
    ck_assert_ptr_null(i8259_create(&r->b, 0x30, 0xa0, 0x4d0, rig_wire(r, 1)));
    ck_assert_str_ne(r->err.text, "");
    rig_free(r);
}
END_TEST

int main(void)
{
    static const TTest **const tests[] = {
        &vector_and_eoi,
        &priority_and_nesting,
        &slave_cascade,
        &special_fully_nested,
        &masking,
        &edge_needs_a_new_rise,
        &level_triggered_by_elcr,
        &spurious,
        &automatic_eoi,
        &rotation,
        &rotate_in_automatic_eoi,
        &special_mask,
        &poll,
        &icw1_clears,
        &saved_and_loaded,
        &ports_taken,
    };
    return rig_main("i8259", tests, ARRAY_LEN(tests));
}
