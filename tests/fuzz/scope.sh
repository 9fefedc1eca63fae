#!/bin/sh
# A slice of nonsense for the monitor and gdb's protocol, from a fixed seed.
# SPDX-License-Identifier: MIT
exec timeout 120 "$BUILD"/tests/fuzz/fuzz_scope -seed "${SCOPE_SEED:-1}" -n "${SCOPE_INPUTS:-20000}" 2>/dev/null
