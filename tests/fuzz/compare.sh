#!/bin/sh
# Hostile guests on the interpreter and on each tier of the translator, which must agree.
# SPDX-License-Identifier: MIT
for engine in checked direct; do
    echo "$engine:"
    "$BUILD"/tests/fuzz/fuzz_hostile -compare -engine $engine -limit 3000 \
        -seed "${HOSTILE_SEED:-1}" -n "${HOSTILE_GUESTS:-80}" || exit 1
done
# #GP for a misaligned operand, before the walk sets A
exec "$BUILD"/tests/fuzz/fuzz_hostile -compare -engine checked -limit 100 -seed 924 -n 1
