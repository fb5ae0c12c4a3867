/*
 * Tensor streams of preference records: written, the same whatever the number of threads, and read back; or not
 * written at all.
 */
#include "tests/unit/support/folder.h"
#include "tests/unit/support/records.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/file.h"
#include "io/prefreader.h"
#include "io/prefwriter.h"
#include "io/tscheck.h"

static const struct tsreader_options alone = {.threads = 0};

static void assert_same_record(const struct pref_rec *a, const struct pref_rec *b)
{
	size_t k = (size_t)a->k, counted = (size_t)pref_tlogp_start(a, a->k);

	assert_int_equal(a->id, b->id);
	assert_int_equal(a->k, b->k);
	for (int s = 0; s <= a->k; s++)
		assert_int_equal(pref_len(a, s), pref_len(b, s));
	assert_memory_equal(a->tokens + a->seg[0], b->tokens + b->seg[0],
		(size_t)(a->seg[k + 1] - a->seg[0]) * sizeof *a->tokens);
	assert_memory_equal(a->skip, b->skip, k * sizeof *a->skip);
	assert_memory_equal(a->cut, b->cut, 2 * k * sizeof *a->cut);
	assert_memory_equal(a->label, b->label, k * sizeof *a->label);
	assert_memory_equal(a->logp[0], b->logp[0], k * sizeof(float));
	assert_memory_equal(a->tlogp[0], b->tlogp[0], counted * sizeof(float));
	assert_int_equal(a->meta_len, b->meta_len);
	assert_memory_equal(a->meta, b->meta, a->meta_len);
}

static void assert_reads_back(uint32_t n, int threads)
{
	struct tsreader_options options = {.threads = threads};
	char *paths[] = {records_path};
	struct err err = ERR_INIT;
	struct prefreader *r = prefreader_open(paths, 1, &options, &err);
	struct pref_rec got, want;

	assert_non_null(r);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(prefreader_next(r, &got, &err), 1);
		want = records_make(i);
		assert_same_record(&want, &got);
	}
	assert_int_equal(prefreader_next(r, &got, &err), 0);
	assert_int_equal(prefreader_next(r, &got, &err), 0);
	assert_int_equal(prefreader_totals(r)->records, n);
	assert_int_equal(prefreader_totals(r)->dropped, 2);
	assert_int_equal(prefreader_totals(r)->truncated, 3);
	prefreader_close(r);
}

static void bytes_do_not_depend_on_threads(void **state)
{
	static const int threads[] = {0, 1, 4};
	struct buf first = BUF_INIT, other = BUF_INIT;
	struct err err = ERR_INIT;
	struct tscheck c;

	(void)state;
	for (int level = 0; level <= 6; level += 3) {
		for (int t = 0; t < 3; t++) {
			struct buf *b = t ? &other : &first;

			records_write(3000, threads[t], level);
			buf_clear(b);
			assert_int_equal(file_read(records_path, 1 << 30, b, &err), 0);
			assert_int_equal(b->len, first.len);
			assert_memory_equal(b->data, first.data, first.len);
			assert_reads_back(3000, threads[t]);
		}
		assert_int_equal(tscheck_full(&c, records_path, &alone, &err), 0);
		assert_int_equal(tscheck_quick(&c, records_path, &alone, &err), 0);
	}
	buf_release(&first);
	buf_release(&other);
}

/* At 1 MiB of data; a record that is larger stands alone. */
static void blocks_close_by_content(void **state)
{
	static const struct {
		int64_t bytes;			 /* of text */
		uint32_t records, blocks, first; /* first: records in the first block */
	} cases[] = {{0, 200000, 7, 32767}, {1000, 3000, 3, 1016}, {600000, 5, 5, 1},
		{3000000, 3, 3, 1}};
	static const struct pref_schema s = {.text = true};
	struct tswriter_options options = {.level = 1};
	struct meta meta = META_INIT;
	struct err err = ERR_INIT;
	char *paths[] = {records_path}, *text = calloc(3000000, 1);

	(void)state;
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		int64_t seg[] = {0, 0, cases[c].bytes};
		struct pref_rec r = {.k = 1, .seg = seg, .text = text};
		struct prefwriter *w = prefwriter_open(records_path, &meta, &s, &options, &err);
		struct tsreader *in;
		struct tsblock *b;
		uint32_t blocks = 0;

		assert_non_null(w);
		for (uint32_t i = 0; i < cases[c].records; i++)
			assert_int_equal(prefwriter_add(w, &r, &err), 0);
		assert_int_equal(prefwriter_finish(w, NULL, 0, 0, NULL, &err), 0);
		prefwriter_close(w);
		in = tsreader_open(paths, 1, &alone, &err);
		assert_non_null(in);
		while (tsreader_next(in, &b, &err) == 1) {
			assert_true(b->doc.size <= 1 << 20 || b->member.nrec == 1);
			if (!blocks++)
				assert_int_equal(b->member.nrec, cases[c].first);
		}
		assert_int_equal(tsreader_totals(in)->records, cases[c].records);
		assert_int_equal(blocks, cases[c].blocks);
		tsreader_close(in);
	}
	free(text);
}

static void no_records_are_a_stream_too(void **state)
{
	(void)state;
	records_write(0, 1, 1);
	assert_reads_back(0, 2);
}

/* ---- the writer's failures */

static void full_disk_is_reported(void **state)
{
	(void)state;
	for (int threads = 0; threads <= 4; threads += 2) {
		struct tswriter_options options = {.threads = threads};
		struct meta meta = META_INIT;
		struct err err = ERR_INIT;
		struct prefwriter *w =
			prefwriter_open("/dev/full", &meta, &records_schema, &options, &err);
		int rc = 0;

		assert_non_null(w);
		for (uint32_t i = 0; rc == 0 && i < 2000; i++) {
			struct pref_rec r = records_make(i);

			rc = prefwriter_add(w, &r, &err);
		}
		if (rc == 0)
			rc = prefwriter_finish(w, NULL, 0, 0, NULL, &err);
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, ERR_FAILED);
		assert_non_null(strstr(err.text, "/dev/full"));
		prefwriter_close(w);
	}
}

static void unfinished_files_get_no_name(void **state)
{
	struct tswriter_options options = {.threads = 2, .level = 1};
	struct meta meta = META_INIT;
	struct err err = ERR_INIT;
	struct prefwriter *w;
	struct pref_rec r = records_make(1);

	(void)state;
	unlink(records_path);
	w = prefwriter_open(records_path, &meta, &records_schema, &options, &err);
	assert_non_null(w);
	assert_int_equal(prefwriter_add(w, &r, &err), 0);
	assert_int_equal(access(records_path, F_OK), -1);
	prefwriter_close(w);
	assert_int_equal(access(records_path, F_OK), -1);
	assert_string_equal(folder_list(""), ""); /* nothing else either */

	/* And what was there stays. */
	records_write(3, 0, 1);
	w = prefwriter_open(records_path, &meta, &records_schema, &options, &err);
	prefwriter_close(w);
	assert_reads_back(3, 0);
}

static void ledger_must_fit(void **state)
{
	struct tswriter_options options = {.threads = 0, .level = 1};
	struct meta meta = META_INIT, extra = META_INIT;
	struct err err = ERR_INIT;
	char text[1024];
	struct tswriter *w = tswriter_open("/dev/null", &meta, &options, &err);

	(void)state;
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	assert_int_equal(meta_set(&extra, "note", text, &err), 0);
	assert_non_null(w);
	assert_int_equal(tswriter_finish(w, NULL, 0, 0, 0, &extra, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	tswriter_close(w);
	meta_release(&extra);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_do_not_depend_on_threads),
		cmocka_unit_test(blocks_close_by_content),
		cmocka_unit_test(no_records_are_a_stream_too),
		cmocka_unit_test(full_disk_is_reported),
		cmocka_unit_test(unfinished_files_get_no_name),
		cmocka_unit_test(ledger_must_fit),
	};

	return cmocka_run_group_tests(tests, records_open, records_close);
}
