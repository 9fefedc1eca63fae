#!/bin/sh
# Slices of the instruction fuzzer, from fixed seeds: the translator with checked accesses and through a
# direct window.
# SPDX-License-Identifier: MIT
"$BUILD"/tests/fuzz/fuzz_insn -seed 20260 -n 200000 || exit
FUZZ_TIER=direct exec "$BUILD"/tests/fuzz/fuzz_insn -seed 20261 -n 50000
