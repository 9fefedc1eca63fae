#!/bin/sh
# A slice of the hostile guests on the interpreter and on the translator, from a fixed seed.
# SPDX-License-Identifier: MIT
exec "$BUILD"/tests/fuzz/fuzz_hostile -compare -limit 3000 -seed "${HOSTILE_SEED:-1}" \
    -n "${HOSTILE_GUESTS:-120}"
