#!/bin/sh
# Damaged qcow2 images, and writers that are killed, from a fixed seed.
# SPDX-License-Identifier: MIT
"$BUILD"/tests/fuzz/fuzz_qcow2 mutate 1 "${QCOW2_IMAGES:-3000}" 2>/dev/null || exit 1
exec "$BUILD"/tests/fuzz/fuzz_qcow2 kill 1 "${QCOW2_KILLS:-300}"
