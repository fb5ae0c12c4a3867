/* Tensor streams, written and read by several threads: memory may run out anywhere. */
#include "tests/unit/support/records.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/prefreader.h"
#include "io/prefwriter.h"
#include "io/tscheck.h"

/* ---- lib/base/mem.c again, to be told to fail */

static long allowed = -1; /* allocations from now on; negative: any number */

static bool refused(struct err *err)
{
	if (__atomic_load_n(&allowed, __ATOMIC_RELAXED) < 0)
		return false;
	if (__atomic_fetch_sub(&allowed, 1, __ATOMIC_RELAXED) > 0)
		return false;
	__atomic_store_n(&allowed, 0, __ATOMIC_RELAXED); /* and none after that one */
	err_set(err, ERR_LIMIT, "refused");
	return true;
}

void *mem_new(size_t n, size_t size, struct err *err)
{
	return refused(err) ? NULL : calloc(n ? n : 1, size);
}

void *mem_new_aligned(size_t n, size_t size, struct err *err)
{
	return refused(err) ? NULL : aligned_alloc(64, (n * size + 64) / 64 * 64);
}

int mem_grow(void *array, size_t *cap, size_t need, size_t size, struct err *err)
{
	void *p;

	if (need <= *cap)
		return 0;
	if (refused(err))
		return -1;
	memcpy(&p, array, sizeof p);
	p = realloc(p, (need + need / 2 + 16) * size);
	memcpy(array, &p, sizeof p);
	*cap = need + need / 2 + 16;
	return 0;
}

char *mem_copy(const char *bytes, size_t n, struct err *err)
{
	char *p = refused(err) ? NULL : malloc(n + 1);

	if (p) {
		memcpy(p, bytes, n);
		p[n] = '\0';
	}
	return p;
}

/* ---- work that needs memory */

static int write_some(int threads, struct err *err)
{
	struct tswriter_options options = {.threads = threads, .level = 1};
	struct meta meta = META_INIT;
	struct prefwriter *w = prefwriter_open(records_path, &meta, &records_schema, &options, err);
	int rc = w ? 0 : -1;

	for (uint32_t i = 0; rc == 0 && i < 700; i++) {
		struct pref_rec r = records_make(i);

		rc = prefwriter_add(w, &r, err);
	}
	if (rc == 0)
		rc = prefwriter_finish(w, NULL, 0, 0, NULL, err);
	prefwriter_close(w);
	return rc;
}

static int read_some(int threads, struct err *err)
{
	struct tsreader_options options = {.threads = threads};
	struct prefreader *r;
	struct pref_rec rec;
	char *paths[] = {records_path};
	int rc;

	r = prefreader_open(paths, 1, &options, err);
	rc = r ? 1 : -1;
	while (rc == 1)
		rc = prefreader_next(r, &rec, err);
	prefreader_close(r);
	return rc;
}

static int check_some(int threads, struct err *err)
{
	struct tscheck c;

	(void)threads;
	return tscheck_quick(&c, records_path, &(struct tsreader_options){.threads = 0}, err);
}

/* Each allocation in turn is the one that fails, with all that follow: an error, and nothing left behind. */
static void memory_may_run_out_anywhere(void **state)
{
	static int (*const work[])(int threads, struct err *err) = {
		write_some, read_some, check_some};

	(void)state;
	alarm(120);
	for (int w = 0; w < 3; w++)
		for (int threads = 0; threads <= 2; threads += 2)
			for (long n = 0;;
				n++) { /* what w = 0 wrote at last is read by the others */
				struct err err = ERR_INIT;
				int rc;

				if (w == 0)
					unlink(records_path);
				__atomic_store_n(&allowed, n, __ATOMIC_RELAXED);
				rc = work[w](threads, &err);
				__atomic_store_n(&allowed, -1, __ATOMIC_RELAXED);
				if (rc == 0)
					break;
				if (err.code != ERR_LIMIT)
					fail_msg("allocation %ld: %d, %s", n, err.code, err.text);
				if (!w)
					assert_int_equal(access(records_path, F_OK), -1);
				assert_true(n < 2000);
			}
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_may_run_out_anywhere),
	};

	return cmocka_run_group_tests(tests, records_open, records_close);
}
