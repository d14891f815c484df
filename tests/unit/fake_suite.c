/* SPDX-License-Identifier: MIT */
/*
 * The part of the fake host that is about running a suite of Check, apart so
 * that other drivers can do without it.
 */
#include "fake.h"

#include <stdlib.h>

int fake_run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed, run;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	run = srunner_ntests_run(runner);
	srunner_free(runner);
	return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

TCase *fake_tcase(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	return tcase;
}
