#!/bin/sh
# The boot tests on -engine interp.
# SPDX-License-Identifier: MIT
exec "${0%/*}/on-engine" interp
