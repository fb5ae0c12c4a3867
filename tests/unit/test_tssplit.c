/* Splitting a tensor stream: parts that are streams of their own, and together all of it. */
#include "tests/unit/support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/prefreader.h"
#include "io/prefwriter.h"
#include "io/tssplit.h"

static void write_stream(const char *path, uint32_t records, uint32_t tokens)
{
	struct tswriter_options options = {.level = 1};
	static const struct pref_schema s = {.vocab = 10};
	struct meta meta = META_INIT;
	struct err err = ERR_INIT;
	int64_t seg[] = {0, 1, tokens};
	int32_t *all_tokens = calloc(tokens, sizeof *all_tokens), skip = 0;
	struct pref_rec r = {.k = 1, .seg = seg, .tokens = all_tokens, .skip = &skip};
	struct prefwriter *w = prefwriter_open(path, &meta, &s, &options, &err);

	assert_non_null(w);
	for (r.id = 0; r.id < records; r.id++)
		assert_int_equal(prefwriter_add(w, &r, &err), 0);
	assert_int_equal(prefwriter_finish(w, NULL, 5, 6, NULL, &err), 0);
	prefwriter_close(w);
	free(all_tokens);
}

static void parts_hold_all_records_once(void **state)
{
	static const struct {
		uint32_t records, tokens;
		int parts;
	} cases[] = {{0, 2, 3}, {1, 2, 1}, {1, 2, 4}, {10, 2, 3}, {50, 100000, 1}, {50, 100000, 7},
		{50, 100000, 50}, {50, 100000, 64}, {9, 300000, 3}};
	struct tsreader_options options = {.threads = 0};
	char whole[200], prefix[200], names[64][220], *paths[64];
	struct err err = ERR_INIT;

	(void)state;
	snprintf(whole, sizeof whole, "%s", folder_path("whole"));
	snprintf(prefix, sizeof prefix, "%s", folder_path("p"));
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		struct tssplit *s;
		struct prefreader *r;
		struct pref_rec rec;
		uint64_t n = 0, start = 0;
		int rc;

		write_stream(whole, cases[c].records, cases[c].tokens);
		s = tssplit_open(whole, 0, &err);
		assert_non_null(s);
		assert_int_equal(
			tssplit_write(s, prefix, cases[c].parts, &tssplit_grammar(s)->head, &err),
			0);
		tssplit_close(s);
		for (int p = 0; p < cases[c].parts; p++) {
			uint64_t end = (uint64_t)cases[c].records * (uint64_t)(p + 1) /
				       (uint64_t)cases[c].parts;

			snprintf(names[p], sizeof names[p], "%s%04d.tsz", prefix, p);
			paths[p] = names[p];
			r = prefreader_open(paths + p, 1, &options, &err);
			assert_non_null(r);
			for (n = 0; (rc = prefreader_next(r, &rec, &err)) == 1; n++)
				assert_int_equal(rec.id, start + n);
			assert_int_equal(rc, 0);
			assert_true(
				n == end - start || n == end - start + 1 || n + 1 == end - start);
			assert_int_equal(prefreader_totals(r)->dropped, p ? 0 : 5);
			assert_int_equal(prefreader_totals(r)->tokens, n * cases[c].tokens);
			start += n;
			prefreader_close(r);
		}
		assert_int_equal(start, cases[c].records);
		r = prefreader_open(paths, cases[c].parts, &options, &err);
		assert_non_null(r);
		for (n = 0; (rc = prefreader_next(r, &rec, &err)) == 1; n++)
			assert_int_equal(rec.id, n);
		assert_int_equal(rc, 0);
		assert_int_equal(prefreader_totals(r)->dropped, 5);
		prefreader_close(r);
		for (int p = 0; p < cases[c].parts; p++)
			assert_int_equal(unlink(names[p]), 0);
	}
	unlink(whole);
	assert_string_equal(folder_list(""), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_hold_all_records_once),
	};

	return cmocka_run_group_tests(tests, folder_open, folder_close);
}
