/* What the main functions of the unit tests end with. */
/* SPDX-License-Identifier: MIT */
#include "tests/unit/suite.h"

int suite_run(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
