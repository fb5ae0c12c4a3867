#include "tests/unit/support/records.h"

#include <stdio.h>
#include <string.h>

#include "io/prefwriter.h"
#include "tests/unit/support/folder.h"

const struct pref_schema records_schema = {.label = true,
	.cut = true,
	.meta = true,
	.nlogps = 1,
	.logp = {"ref"},
	.tlogp = {true},
	.vocab = 1000};

char records_path[200];

int records_open(void **state)
{
	if (folder_open(state))
		return -1;
	snprintf(records_path, sizeof records_path, "%s", folder_path("a.tsz"));
	return 0;
}

int records_close(void **state)
{
	folder_remove("a.tsz");
	return folder_close(state);
}

struct pref_rec records_make(uint32_t i)
{
	static int64_t seg[5];
	static int32_t tokens[900], skip[3], cut[6];
	static float logp[3], tlogp[900], label[3];
	struct pref_rec r = {.id = i * 0x9e3779b97f4a7c15,
		.k = 1 + (int)(i % 3),
		.seg = seg,
		.tokens = tokens,
		.skip = skip,
		.cut = cut,
		.label = label,
		.logp = {logp},
		.tlogp = {tlogp},
		.meta = "{\"a\":1}",
		.meta_len = i % 2 ? 7 : 0};

	for (int s = 0; s <= r.k; s++)
		seg[s + 1] = seg[s] + (i * 7 + (uint32_t)s * 13) % 200;
	for (int t = 0; t < 900; t++) {
		tokens[t] = (int32_t)((i + 1) * (uint32_t)t % 1000);
		tlogp[t] = -(float)t / 7;
	}
	for (int c = 0; c < 3; c++) {
		skip[c] = pref_len(&r, c < r.k ? c + 1 : 1) > 0 && i % 5 == 0;
		logp[c] = -(float)i - (float)c;
		label[c] = (float)c;
		cut[2 * c] = c;
	}
	return r;
}

void records_write(uint32_t n, int threads, int level)
{
	struct tswriter_options options = {.threads = threads, .level = level};
	struct meta meta = META_INIT;
	struct err err = ERR_INIT;
	struct prefwriter *w =
		prefwriter_open(records_path, &meta, &records_schema, &options, &err);

	assert_non_null(w);
	for (uint32_t i = 0; i < n; i++) {
		struct pref_rec r = records_make(i);

		assert_int_equal(prefwriter_add(w, &r, &err), 0);
	}
	assert_int_equal(prefwriter_finish(w, NULL, 2, 3, NULL, &err), 0);
	prefwriter_close(w);
}
