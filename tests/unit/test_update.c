/* Updates: what is written comes back, whole or in pieces, and what does not fit is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/update.h"

#define ROWS 3001
#define WIDTH 700 /* 8 MB of floats: three pieces */
#define SMALL 200

static char folder[] = "/tmp/test_update.XXXXXX", path[64];
static float *large, *back;
static float small[SMALL][3], small_back[SMALL][3];
static uint16_t half[5] = {1, 2, 3, 4, 0xffff}, half_back[5];
static char names[SMALL][24];
static struct update_tensor tensors[SMALL + 2], targets[SMALL + 2];

static const struct tswriter_options stored = {.level = 0};

/* The large tensor stands between small ones. */
static int setup(void **state)
{
	struct err err = ERR_INIT;
	size_t n = 0;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/u.tsz", folder);
	large = mem_new((size_t)ROWS * WIDTH, sizeof *large, &err);
	back = mem_new((size_t)ROWS * WIDTH, sizeof *back, &err);
	for (int i = 0; i < ROWS * WIDTH; i++)
		large[i] = (float)(i % 9973);
	for (int i = 0; i < SMALL; i++) {
		snprintf(names[i], sizeof names[i], "layer.%d.weight", i);
		for (int j = 0; j < 3; j++)
			small[i][j] = (float)(i * 10 + j);
		if (i == 100)
			tensors[n++] = (struct update_tensor){"large", F32, 2, {ROWS, WIDTH}, large};
		tensors[n++] = (struct update_tensor){names[i], F32, 1, {3}, small[i]};
	}
	tensors[n] = (struct update_tensor){"large#mean", BF16, 1, {5}, half};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	remove(path);
	rmdir(folder);
	free(large);
	free(back);
	return 0;
}

static void write_all(void)
{
	struct meta meta = META_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(meta_set(&meta, "run.step", "17", &err), 0);
	assert_int_equal(update_write(path, &meta, tensors, SMALL + 2, &stored, &err), 0);
	meta_release(&meta);
	for (size_t i = 0; i < SMALL + 2; i++) {
		targets[i] = tensors[i];
		targets[i].data = i == 100 ? (void *)back : i == SMALL + 1 ? (void *)half_back : small_back[i < 100 ? i : i - 1];
	}
}

/* Reads; what the error says, or "" */
static const char *read_targets(size_t n, struct err *err)
{
	struct update *u;

	*err = (struct err)ERR_INIT;
	u = update_open(path, 0, err);
	assert_non_null(u);
	assert_string_equal(meta_get(update_meta(u), "run.step"), "17");
	update_read(u, targets, n, err);
	update_close(u);
	return err->code ? err->text : "";
}

static void comes_back(void **state)
{
	struct err err;

	(void)state;
	write_all();
	assert_string_equal(read_targets(SMALL + 2, &err), "");
	assert_memory_equal(back, large, sizeof(float) * ROWS * WIDTH);
	assert_memory_equal(small_back, small, sizeof small);
	assert_memory_equal(half_back, half, sizeof half);
	memset(half_back, 0, sizeof half_back);
	assert_string_equal(read_targets(SMALL + 1, &err), ""); /* a memory may be left */
	assert_int_equal(half_back[0], 0);
}

static void does_not_fit(void **state)
{
	struct err err;
	struct update_tensor saved;

	(void)state;
	write_all();
	assert_non_null(strstr(read_targets(SMALL, &err), "u.tsz: tensor 'layer.199.weight' is none of this model's"));
	assert_int_equal(err.code, ERR_MISMATCH);
	saved = targets[100];
	targets[100].shape[0]++;
	assert_non_null(strstr(read_targets(SMALL + 2, &err), "tensor 'large' is of another type or shape"));
	targets[100] = saved;
	targets[100].shape[1]--;
	assert_non_null(strstr(read_targets(SMALL + 2, &err), "tensor 'large' is of another type or shape"));
	targets[100] = saved;
	targets[3].type = BF16;
	assert_non_null(strstr(read_targets(SMALL + 2, &err), "tensor 'layer.3.weight' is of another type or shape"));
	assert_int_equal(err.code, ERR_MISMATCH);
	targets[3].type = F32;
	targets[SMALL + 1].name = "large#square";
	assert_non_null(strstr(read_targets(SMALL + 2, &err), "u.tsz: tensor 'large#square' is missing"));
	assert_int_equal(err.code, ERR_MISMATCH);
}

static void what_is_no_update(void **state)
{
	struct tswriter *w;
	struct meta meta = META_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_null(update_open("/nowhere/u.tsz", 0, &err));
	assert_int_equal(meta_set(&meta, "schema", "pref.tokens", &err), 0);
	w = tswriter_open(path, &meta, &stored, &err);
	assert_int_equal(tswriter_finish(w, NULL, 0, 0, 0, NULL, &err), 0);
	tswriter_close(w);
	meta_release(&meta);
	assert_null(update_open(path, 0, &err));
	assert_int_equal(err.code, ERR_MISMATCH);
	assert_non_null(strstr(err.text, "no update but a stream of pref.tokens"));
}

/* A stream that is cut anywhere, or whose pieces are out of order, is no update. */
static void damaged(void **state)
{
	struct meta meta = META_INIT;
	struct err err = ERR_INIT;
	struct update_tensor two[2] = {tensors[100], tensors[100]};
	struct update *u;

	(void)state;
	write_all();
	for (long at = 100; at < 8000000; at += 1234567) {
		write_all();
		assert_int_equal(truncate(path, at), 0);
		err = (struct err)ERR_INIT;
		u = update_open(path, 0, &err);
		assert_true(!u || update_read(u, targets, SMALL + 2, &err) == -1);
		assert_int_equal(err.code, ERR_CORRUPT);
		update_close(u);
	}
	err = (struct err)ERR_INIT;
	assert_int_equal(update_write(path, &meta, two, 2, &stored, &err), 0);
	u = update_open(path, 0, &err);
	two[0].data = back;
	assert_int_equal(update_read(u, two, 1, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_non_null(strstr(err.text, "tensor 'large': rows from 0 where 3001 are due"));
	update_close(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(does_not_fit),
		cmocka_unit_test(what_is_no_update),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
