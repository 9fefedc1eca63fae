#!/bin/sh
# The boot tests on -engine direct.
# SPDX-License-Identifier: MIT
exec "${0%/*}/on-engine" direct
