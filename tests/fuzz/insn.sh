#!/bin/sh
# A slice of the instruction fuzzer, from a fixed seed.
# SPDX-License-Identifier: MIT
exec "$BUILD"/tests/fuzz/fuzz_insn -seed 20260 -n 250000
