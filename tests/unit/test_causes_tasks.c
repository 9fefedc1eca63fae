/* Causes of exceptions: IDT gates, double faults, virtual-8086 interrupts, task switches, debug
 * exceptions (SDM vol. 3, chapters 6, 7, 17 and 20). */
/* SPDX-License-Identifier: MIT */
#include "cpu/control.h"
#include "cpu/debug.h"
#include "cpu/segment.h"
#include "tests/unit/causes.h"

/* A far call or jump to a selector. */
#define FAR(opcode, selector)                                                                      \
    {                                                                                              \
        opcode, 0, 0, 0, 0, (selector)&0xff, (selector) >> 8                                       \
    }
enum { CALL_FAR = 0x9a, JMP_FAR = 0xea };
#define INT                                                                                        \
    {                                                                                              \
        0xcd, INT_VECTOR                                                                           \
    }
#define IRET                                                                                       \
    {                                                                                              \
        0xcf                                                                                       \
    }
#define JMP_TASK FAR(JMP_FAR, SEL_A)
#define NEW_TASK                                                                                   \
    {                                                                                              \
        .type = TYPE_TSS32, .base = NEW_TSS                                                        \
    }
#define TASK_GATE FAR(CALL_FAR, SEL_GATE)

/* Where a 32-bit TSS has what the rows change. */
enum {
    TSS_EIP = NEW_TSS + 32,
    TSS_EFLAGS = NEW_TSS + 36,
    TSS_CS = NEW_TSS + 76,
    TSS_SS = NEW_TSS + 80,
    TSS_DS = NEW_TSS + 84,
    TSS_LDT = NEW_TSS + 96,
    TSS_TRAP = NEW_TSS + 100,
};

/* The stack segment ends below ESP. */
static void stack_shorten(struct cpu *cpu)
{
    cpu->seg[SEG_SS].limit = 0xffff;
    segment_update(cpu, &cpu->seg[SEG_SS]);
}

static const struct cause interrupts[] = {
    {.text = "the vector is beyond the IVT's limit",
     "int",
     VEC_GP,
     INT_CODE,
     INT,
     harness_real,
     .idt_limit = 0xff},
    {.text = "the vector is beyond the IDT's limit",
     "int",
     VEC_GP,
     INT_CODE,
     INT,
     .idt_limit = INT_VECTOR * 8 + 6},
    {.text = "the IDT entry is no gate",
     "int",
     VEC_GP,
     INT_CODE,
     INT,
     .idt = GATE(TYPE_CALL32, 0, SEL_CODE0)},
    {.text = "a software interrupt through a gate of more privilege",
     "int",
     VEC_GP,
     INT_CODE,
     INT,
     harness_ring3,
     .idt = GATE(TYPE_TRAP32, 2, SEL_CODE0)},
    {.text = "the gate is not present",
     "int",
     VEC_NP,
     INT_CODE,
     INT,
     .idt = {.type = TYPE_TRAP32, .absent = true, .selector = SEL_CODE0}},
    {.text = "the gate's code selector is null",
     "int",
     VEC_GP,
     0,
     INT,
     .idt = GATE(TYPE_INT32, 0, 3)},
    {.text = "the gate's selector is beyond its table's limit",
     "int",
     VEC_GP,
     SEL_BEYOND,
     INT,
     .idt = GATE(TYPE_INT32, 0, SEL_BEYOND)},
    {.text = "the gate leads to no code, or to less privilege",
     "int",
     VEC_GP,
     SEL_DATA0,
     INT,
     .idt = GATE(TYPE_INT32, 0, SEL_DATA0)},
    {.text = "the gate leads to no code, or to less privilege",
     "int",
     VEC_GP,
     SEL_CODE3 & ~3,
     INT,
     .idt = GATE(TYPE_INT32, 0, SEL_CODE3)},
    {.text = "the handler's code segment is not present",
     "int",
     VEC_NP,
     SEL_A,
     INT,
     .idt = GATE(TYPE_INT32, 0, SEL_A),
     .a = ABSENT(TYPE_CODE_R)},
    {.text = "the target is beyond the code segment's limit",
     "int",
     VEC_GP,
     0,
     INT,
     .idt = GATE(TYPE_INT32, 0, SEL_A),
     .a = {.type = TYPE_CODE_R, .limit = 0xfff},
     .poke = {{H_IDT + INT_VECTOR * 8, SEL_A << 16 | 0x1000}}},
    {.text = "a handler for virtual-8086 mode is not in ring 0",
     "int",
     VEC_GP,
     SEL_CODE1 & ~3,
     INT,
     mode_v86_iopl3,
     .idt = GATE(TYPE_INT32, 3, SEL_CODE1)},
    {.text = "a handler for virtual-8086 mode is not in ring 0",
     "int",
     VEC_GP,
     SEL_CONFORMING,
     INT,
     mode_v86_iopl3,
     .idt = GATE(TYPE_INT32, 3, SEL_CONFORMING)},
    {.text = "INT n in virtual-8086 mode needs IOPL 3", "int", VEC_GP, 0, INT, mode_v86},
    {.text = "the redirection bitmap is beyond the TSS's limit",
     "int",
     VEC_GP,
     0,
     INT,
     mode_v86,
     .cr4 = CR4_VME,
     .poke = {{H_TSS + 100, 0x200u << 16}}},
    {.text = "the TSS is too short for the inner stack",
     "int",
     VEC_TS,
     SEL_TSS,
     INT,
     harness_ring3,
     .idt = GATE(TYPE_INT32, 3, SEL_CODE0),
     .tr_limit = 8},
    {.text = "the stack selector is null",
     "int",
     VEC_TS,
     0,
     INT,
     harness_ring3,
     .idt = GATE(TYPE_INT32, 3, SEL_CODE0),
     .poke = {{H_TSS + 8, 0}}},
    {.text = "the frame does not fit on the stack",
     "int",
     VEC_SS,
     0,
     INT,
     .esp = 0x20000,
     .prepare = stack_shorten},
    {.text = "two exceptions that cannot be served in turn",
     NULL,
     VEC_DF,
     0,
     {0xf7, 0xf1},
     .poke = {{H_IDT + 4, 0}},
     .line = 1},
};

static const struct cause old_tasks[] = {
    {.text = "the old task's TSS is too short",
     "jmp",
     VEC_TS,
     SEL_TSS,
     JMP_TASK,
     .a = NEW_TASK,
     .tr_limit = 102},
    {.text = "IRET to a TSS that is not busy",
     "iretd",
     VEC_TS,
     SEL_A,
     IRET,
     .flags = FLAG_NT,
     .poke = {{H_TSS, SEL_A}},
     .a = NEW_TASK},
    {.text = "a task switch to what is no available TSS",
     "call",
     VEC_GP,
     SEL_DATA0,
     TASK_GATE,
     .gate = GATE(TYPE_TASK, 0, SEL_DATA0)},
    {.text = "a task switch to what is no available TSS",
     "int",
     VEC_GP,
     SEL_TSS,
     INT,
     .idt = GATE(TYPE_TASK, 0, SEL_TSS)},
    {.text = "the new task's TSS is not present",
     "jmp",
     VEC_NP,
     SEL_A,
     JMP_TASK,
     .a = ABSENT(TYPE_TSS32)},
    {.text = "the new task's TSS is too short",
     "jmp",
     VEC_TS,
     SEL_A,
     JMP_TASK,
     .a = {.type = TYPE_TSS32, .base = NEW_TSS, .limit = 102}},
    {.text = "the new task's TSS is too short",
     "jmp",
     VEC_TS,
     SEL_A,
     JMP_TASK,
     .a = {.type = TYPE_TSS16, .base = NEW_TSS, .limit = 42}},
    {.text = "the TSS selector is not in the GDT",
     "call",
     VEC_GP,
     0,
     TASK_GATE,
     .gate = GATE(TYPE_TASK, 0, 0)},
    {.text = "the TSS selector is not in the GDT", "iretd", VEC_TS, 0, IRET, .flags = FLAG_NT},
    {.text = "the task gate's TSS selector is not in the GDT",
     "call",
     VEC_GP,
     SEL_BEYOND,
     TASK_GATE,
     .gate = GATE(TYPE_TASK, 0, SEL_BEYOND)},
    {.text = "the task gate's TSS selector is not in the GDT",
     "call",
     VEC_GP,
     SEL_A | 4,
     TASK_GATE,
     .gate = GATE(TYPE_TASK, 0, SEL_A | 4),
     .a = NEW_TASK},
    {.text = "the back link's selector is not in the GDT",
     "iretd",
     VEC_TS,
     SEL_BEYOND | 4,
     IRET,
     .flags = FLAG_NT,
     .poke = {{H_TSS, SEL_BEYOND | 4}}},
};

/* These come when the new task is the current one, and no instruction any more. */
static const struct cause new_tasks[] = {
    {.text = "the LDT selector is not within the GDT",
     NULL,
     VEC_TS,
     SEL_BEYOND,
     JMP_TASK,
     .a = NEW_TASK,
     .poke = {{TSS_LDT, SEL_BEYOND}}},
    {.text = "the LDT selector's descriptor is no LDT",
     NULL,
     VEC_TS,
     SEL_DATA0,
     JMP_TASK,
     .a = NEW_TASK,
     .poke = {{TSS_LDT, SEL_DATA0}}},
    {.text = "the LDT is not present",
     NULL,
     VEC_TS,
     SEL_B,
     JMP_TASK,
     .a = NEW_TASK,
     .b = ABSENT(TYPE_LDT),
     .poke = {{TSS_LDT, SEL_B}}},
    {.text = "the new task's CS is no code segment",
     NULL,
     VEC_TS,
     SEL_DATA0,
     JMP_TASK,
     .a = NEW_TASK,
     .poke = {{TSS_CS, SEL_DATA0}}},
    {.text = "the new task's CS is no code segment",
     NULL,
     VEC_TS,
     0,
     JMP_TASK,
     .a = NEW_TASK,
     .poke = {{TSS_CS, 0}}},
    {.text = "the new task's CS has a DPL that does not fit RPL",
     NULL,
     VEC_TS,
     SEL_CODE3 & ~3,
     JMP_TASK,
     .a = NEW_TASK,
     .poke = {{TSS_CS, SEL_CODE3 & ~3}}},
    {.text = "the new task's CS has a DPL that does not fit RPL",
     NULL,
     VEC_TS,
     SEL_B,
     JMP_TASK,
     .a = NEW_TASK,
     .b = {.type = TYPE_CODE_CONFORMING, .dpl = 2},
     .poke = {{TSS_CS, SEL_B | 1}}},
    {.text = "the new task's code segment is not present",
     NULL,
     VEC_NP,
     SEL_B,
     JMP_TASK,
     .a = NEW_TASK,
     .b = ABSENT(TYPE_CODE_R),
     .poke = {{TSS_CS, SEL_B}}},
    {.text = "the stack selector is null",
     NULL,
     VEC_TS,
     0,
     JMP_TASK,
     .a = NEW_TASK,
     .poke = {{TSS_SS, 0}}},
    {.text = "the data selector is beyond its table's limit",
     NULL,
     VEC_TS,
     SEL_BEYOND,
     JMP_TASK,
     .a = NEW_TASK,
     .poke = {{TSS_DS, SEL_BEYOND}}},
    {.text = "the data segment is not present",
     NULL,
     VEC_NP,
     SEL_B,
     JMP_TASK,
     .a = NEW_TASK,
     .b = ABSENT(TYPE_DATA_RW),
     .poke = {{TSS_DS, SEL_B}}},
    {.text = "the new task's EIP is beyond its code segment's limit",
     NULL,
     VEC_GP,
     0,
     JMP_TASK,
     .a = NEW_TASK,
     .b = PRESENT(TYPE_CODE_R),
     .poke = {{TSS_CS, SEL_B}}},
    {.text = "the new task's EIP is beyond its code segment's limit",
     NULL,
     VEC_GP,
     0,
     JMP_TASK,
     .a = NEW_TASK,
     .poke = {{TSS_EFLAGS, FLAG_VM | 2}}},
    {.text = "a switch to a task whose TSS has T set",
     NULL,
     VEC_DB,
     NO_ERROR,
     JMP_TASK,
     .a = NEW_TASK,
     .poke = {{TSS_TRAP, 1}}},
};

/* Breakpoint 0 is on, for the second byte of the code. */
static void breakpoint_set(struct cpu *cpu)
{
    cpu->dr[0] = H_CODE + 1;
    cpu->dr[7] = 0x402;
    debug_update(cpu);
}

/* Breakpoint 0 is on, for writes of a byte of data. */
static void watchpoint_set(struct cpu *cpu)
{
    control_write_dr(cpu, 0, H_DATA);
    control_write_dr(cpu, 7, 0x402 | BREAK_WRITE << 16);
}

static void general_detect(struct cpu *cpu)
{
    cpu->dr[7] |= DR7_GD;
}

static const struct cause debug[] = {
    {.text = "a debug trap", NULL, VEC_DB, NO_ERROR, {0x90}, .flags = FLAG_TF},
    {.text = "a debug trap", NULL, VEC_DB, NO_ERROR, {0xa2, 0, 0, 5, 0}, .prepare = watchpoint_set},
    {.text = "an instruction breakpoint",
     NULL,
     VEC_DB,
     NO_ERROR,
     {0x90, 0x90},
     .prepare = breakpoint_set},
    {.text = "MOV of a debug register while DR7.GD is set",
     "mov",
     VEC_DB,
     NO_ERROR,
     {0x0f, 0x23, 0xc0},
     .prepare = general_detect},
};

START_TEST(interrupt_causes)
{
    cause_check(&interrupts[_i]);
}
END_TEST

START_TEST(old_task_causes)
{
    cause_check(&old_tasks[_i]);
}
END_TEST

START_TEST(new_task_causes)
{
    cause_check(&new_tasks[_i]);
}
END_TEST

START_TEST(debug_causes)
{
    cause_check(&debug[_i]);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {interrupt_causes, old_task_causes, new_task_causes, debug_causes};
    const unsigned lengths[] = {ARRAY_LEN(interrupts), ARRAY_LEN(old_tasks), ARRAY_LEN(new_tasks),
                                ARRAY_LEN(debug)};
    return causes_main("causes: tasks", tests, lengths, ARRAY_LEN(tests));
}
