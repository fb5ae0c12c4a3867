/* Files of lines that grow, and are taken up again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/journal.h"
#include "io/zip.h"

static char folder[] = "/tmp/test_journal.XXXXXX", path[64];

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void in_folder(const char *name)
{
	unlink(path);
	snprintf(path, sizeof path, "%s/%s", folder, name);
}

static void add(struct journal *j, int from, int to)
{
	struct err err = ERR_INIT;
	char line[40];

	for (int i = from; i < to; i++) {
		int n = snprintf(line, sizeof line, "{\"line\":%d}\n", i);

		assert_int_equal(journal_add(j, line, (size_t)n, &err), 0);
	}
}

static void holds(int lines)
{
	static char text[1 << 20];
	struct err err = ERR_INIT;
	struct zipfile *z = zipfile_open(path, &err);
	const char *p = text;
	size_t got;
	char line[40];

	assert_non_null(z);
	assert_int_equal(zipfile_read(z, text, sizeof text - 1, &got, &err), 0);
	text[got] = '\0';
	for (int i = 0; i < lines; i++, p += strlen(line)) {
		snprintf(line, sizeof line, "{\"line\":%d}\n", i);
		assert_int_equal(strncmp(p, line, strlen(line)), 0);
	}
	assert_string_equal(p, "");
	zipfile_close(z);
}

/* Written, left at a checkpoint but written on, taken up: no line is missing or there twice. */
static void goes_on_from_a_checkpoint(const char *name, int all)
{
	struct err err = ERR_INIT;
	struct journal j = JOURNAL_INIT;
	int64_t bytes, before = 0;

	in_folder(name);
	assert_int_equal(journal_open(&j, path, 0, &err), 0);
	add(&j, 0, 17);
	assert_int_equal(journal_sync(&j, &before, &err), 0);
	holds(17);
	add(&j, 17, all);
	assert_int_equal(journal_close(&j, &err), 0);
	assert_int_equal(journal_close(&j, &err), 0);
	holds(all);

	assert_int_equal(journal_open(&j, path, before, &err), 0);
	holds(17);
	add(&j, 17, 23);
	assert_int_equal(journal_sync(&j, &bytes, &err), 0);
	assert_true(bytes > before);
	assert_int_equal(journal_close(&j, &err), 0);
	holds(23);

	assert_int_equal(truncate(path, before - 1), 0);
	assert_int_equal(journal_open(&j, path, before, &err), -1);
	assert_int_equal(err.code, ERR_MISMATCH);
	journal_close(&j, &err);

	assert_int_equal(journal_open(&j, path, 0, &err), 0);
	assert_int_equal(journal_sync(&j, &bytes, &err), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(journal_close(&j, &err), 0);
	holds(0);
}

static void plain(void **state)
{
	(void)state;
	goes_on_from_a_checkpoint("lines", 40000);
}

static void gzipped(void **state)
{
	(void)state;
	goes_on_from_a_checkpoint("lines.gz", 40000);
}

static void none_does_nothing(void **state)
{
	struct err err = ERR_INIT;
	struct journal j = JOURNAL_INIT;
	int64_t bytes = 1;

	(void)state;
	assert_int_equal(journal_open(&j, NULL, 0, &err), 0);
	assert_int_equal(journal_add(&j, "x\n", 2, &err), 0);
	assert_int_equal(journal_sync(&j, &bytes, &err), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(journal_close(&j, &err), 0);
}

static void a_full_disk_is_an_error(void **state)
{
	struct err err = ERR_INIT;
	struct journal j = JOURNAL_INIT;

	(void)state;
	if (access("/dev/full", W_OK))
		skip();
	assert_int_equal(journal_open(&j, "/dev/full", 0, &err), 0);
	assert_int_equal(journal_add(&j, "x\n", 2, &err), -1);
	assert_string_equal(err.text, "/dev/full: cannot write: No space left on device");
	assert_int_equal(journal_close(&j, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(gzipped),
		cmocka_unit_test(none_does_nothing),
		cmocka_unit_test(a_full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
