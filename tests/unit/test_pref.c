/* Preference records: schemas, blocks that are not what they should be, JSON both ways, splitting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "io/prefcolumns.h"
#include "io/prefjson.h"
#include "io/prefreader.h"
#include "io/prefwriter.h"
#include "io/tssplit.h"

/* ---- schemas */

static void schemas_go_through_metadata(void **state)
{
	struct pref_schema s, back;
	struct meta m = META_INIT;
	struct err err = ERR_INIT;

	(void)state;
	for (int bits = 0; bits < 128; bits++) {
		s = (struct pref_schema){.text = bits & 1,
			.label = bits & 2,
			.cut = bits & 4,
			.meta = bits & 8,
			.plain = bits & 64 && bits & 1};
		if (bits & 16)
			assert_int_equal(pref_schema_add(&s, "ref", !s.text && bits & 32, &err), 0);
		if (bits & 32)
			assert_int_equal(pref_schema_add(&s, "a-policy_2", false, &err), 0);
		s.vocab = bits & 16 ? 100 : 0;
		assert_int_equal(meta_set(&m, "other", "kept", &err), 0);
		assert_int_equal(pref_schema_put(&s, &m, &err), 0);
		assert_int_equal(pref_schema_get(&back, &m, &err), 0);
		assert_memory_equal(&s, &back, sizeof s);
		assert_string_equal(meta_get(&m, "other"), "kept");
		assert_string_equal(meta_get(&m, "schema"), s.text     ? "pref.text"
							    : s.nlogps ? "pref.logps"
								       : "pref.tokens");
		meta_release(&m);
	}
}

static void foreign_schemas_are_refused(void **state)
{
	static const struct {
		const char *schema, *columns;
	} bad[] = {
		{NULL, NULL},
		{"metrics", "step"},
		{"pref.tokens", NULL},
		{"pref.other", "id rec seg skip tokens"},
		{"pref.tokens", ""},
		{"pref.tokens", "id rec seg tokens"},
		{"pref.tokens", "id rec seg skip tokens extra"},
		{"pref.tokens", "id rec seg skip tokens "},
		{"pref.tokens", " id rec seg skip tokens"},
		{"pref.tokens", "id  rec seg skip tokens"},
		{"pref.tokens", "rec id seg skip tokens"},
		{"pref.tokens", "id rec seg skip tokens logp.ref"},
		{"pref.logps", "id rec seg skip tokens"},
		{"pref.logps", "id rec seg skip tokens logp.ref logp.ref"},
		{"pref.logps", "id rec seg skip tokens tlogp.ref"},
		{"pref.logps", "id rec seg skip tokens tlogp.ref logp.ref"},
		{"pref.logps", "id rec seg skip tokens logp.r/f"},
		{"pref.logps", "id rec seg skip tokens logp."},
		{"pref.logps", "id rec seg skip tokens "
			       "logp.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
		{"pref.text", "id rec seg text logp.ref tlogp.ref"},
		{"pref.text", "id rec seg skip tokens"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct pref_schema s;
		struct meta m = META_INIT;
		struct err err = ERR_INIT;

		if (bad[i].schema)
			assert_int_equal(meta_set(&m, "schema", bad[i].schema, &err), 0);
		if (bad[i].columns)
			assert_int_equal(meta_set(&m, "columns", bad[i].columns, &err), 0);
		if (pref_schema_get(&s, &m, &err) == 0)
			fail_msg("%s, %s", bad[i].schema, bad[i].columns);
		assert_int_equal(err.code, ERR_MISMATCH);
		meta_release(&m);
	}
}

static void columns_are_added_once(void **state)
{
	struct pref_schema s = {.vocab = 0};
	struct err err = ERR_INIT;
	char name[16];

	(void)state;
	assert_int_equal(pref_schema_add(&s, "ref", true, &err), 0);
	assert_int_equal(pref_schema_add(&s, "policy", false, &err), 0);
	assert_int_equal(pref_schema_find(&s, "policy"), 0);
	assert_int_equal(pref_schema_find(&s, "ref"), 1);
	assert_int_equal(pref_schema_find(&s, "other"), -1);
	assert_true(s.tlogp[1] && !s.tlogp[0]);
	assert_int_equal(pref_schema_add(&s, "ref", true, &err), -1);
	assert_int_equal(err.code, ERR_MISMATCH);
	assert_int_equal(pref_schema_add(&s, "a b", true, &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
	assert_int_equal(pref_schema_add(&s, "", true, &err), -1);
	while (s.nlogps < PREF_MAX_LOGPS) {
		snprintf(name, sizeof name, "n%d", s.nlogps);
		assert_int_equal(pref_schema_add(&s, name, true, &err), 0);
	}
	assert_int_equal(pref_schema_add(&s, "last", true, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

/* ---- counting */

static void what_counts(void **state)
{
	static const int64_t seg[] = {10, 10, 13, 13, 15};
	static const int32_t skip[] = {0, 0, 2};
	struct pref_rec r = {.k = 3, .seg = seg, .skip = skip};
	static const int64_t with_prompt[] = {9, 10, 13, 13, 15};

	(void)state;
	/* Nothing comes before the first token when there is no prompt. */
	assert_int_equal(pref_counted(&r, 0), 2);
	assert_int_equal(pref_counted(&r, 1), 0);
	assert_int_equal(pref_counted(&r, 2), 0);
	assert_int_equal(pref_uncounted(&r, 1), 0);
	assert_int_equal(pref_tlogp_start(&r, 3), 2);
	r.seg = with_prompt;
	assert_int_equal(pref_counted(&r, 0), 3);
	assert_int_equal(pref_counted(&r, 1), 0);
	assert_int_equal(pref_counted(&r, 2), 0);
	assert_int_equal(pref_tlogp_start(&r, 1), 3);
}

/* ---- blocks */

/* Two records, k = 2 and k = 1: tokens 1 2 | 3 4 | 5 and nothing | 6 7. */
static const struct {
	const char *name;
	enum dtype dtype;
	int rank;
	int64_t shape[2];
	int64_t i[12]; /* integers, or */
	double f[12];
} good[] = {
	{"id", U64, 1, {2}, {7, 8}, {0}},
	{"rec", I64, 1, {3}, {0, 3, 5}, {0}},
	{"seg", I64, 1, {6}, {0, 2, 4, 5, 5, 7}, {0}},
	{"tokens", I32, 1, {7}, {1, 2, 3, 4, 5, 6, 7}, {0}},
	{"skip", I32, 1, {3}, {0, 1, 0}, {0}},
	{"cut", I32, 2, {3, 2}, {0, 0, 0, 0, 4, 9}, {0}},
	{"label", F32, 1, {3}, {0}, {1, 0, -0.5}},
	{"meta", U8, 1, {7}, {'{', '"', 'a', '"', ':', '1', '}'}, {0}},
	{"meta_off", I64, 1, {3}, {0, 7, 7}, {0}},
	{"logp.ref", F32, 1, {3}, {0}, {-1.5, -2, -0.0}},
	{"tlogp.ref", F32, 1, {3}, {0}, {-1, -0.5, -3}},
};

#define NGOOD ((int)(sizeof good / sizeof *good))

static const struct pref_schema all = {.label = true,
	.cut = true,
	.meta = true,
	.nlogps = 1,
	.logp = {"ref"},
	.tlogp = {true},
	.vocab = 8};

/* The block with one column changed: left out, another shape, or one element. */
struct change {
	int column; /* -1: none */
	const char *name;
	int64_t rows; /* -1: as it is */
	int element;  /* -1: none */
	int64_t i;
	double f;
};

static void block(struct buf *out, struct safetensors *doc, const struct change *c)
{
	struct err err = ERR_INIT;

	for (int k = 0; k < NGOOD; k++) {
		int64_t shape[2] = {good[k].shape[0], good[k].shape[1]};

		if (c->column == k && c->rows >= 0)
			shape[0] = c->rows;
		assert_int_equal(
			safetensors_add(doc, c->column == k && c->name ? c->name : good[k].name,
				good[k].dtype, good[k].rank, shape, &err),
			0);
	}
	assert_int_equal(safetensors_encode(doc, out, &err), 0);
	for (size_t t = 0; t < doc->n; t++)
		for (int k = 0; k < NGOOD; k++) {
			if (strcmp(doc->tensors[t].name,
				    c->column == k && c->name ? c->name : good[k].name))
				continue;
			for (size_t e = 0; e < safetensor_count(&doc->tensors[t]); e++) {
				bool changed = c->column == k && c->element == (int)e;
				int64_t i = changed ? c->i : good[k].i[e];
				float f = (float)(changed ? c->f : good[k].f[e]);

				buf_add(out, good[k].dtype == F32 ? (void *)&f : (void *)&i,
					dtype_size(good[k].dtype));
			}
		}
	assert_int_equal(buf_check(out, &err), 0);
}

/* 0 or the error's code; the payload is aligned and at the very end of its memory. */
static int open_block(
	const struct change *c, const struct pref_schema *s, uint32_t n, struct err *err)
{
	struct safetensors doc = SAFETENSORS_INIT;
	struct buf payload = BUF_INIT;
	struct pref_block b;
	uint8_t *exact;
	int rc;

	block(&payload, &doc, c);
	exact = aligned_alloc(64, (payload.len + 63) / 64 * 64);
	memcpy(exact, payload.data, payload.len);
	err->code = 0;
	rc = pref_block_open(&b, s, &doc, exact, n, err);
	assert_true(!rc == !err->code);
	pref_block_release(&b);
	safetensors_release(&doc);
	buf_release(&payload);
	free(exact);
	return err->code;
}

static const struct change unchanged = {.column = -1};

static void good_block_is_taken(void **state)
{
	struct safetensors doc = SAFETENSORS_INIT;
	struct buf payload = BUF_INIT;
	struct err err = ERR_INIT;
	struct pref_block b;
	struct pref_rec r;

	(void)state;
	block(&payload, &doc, &unchanged);
	assert_int_equal(pref_block_open(&b, &all, &doc, (uint8_t *)payload.data, 2, &err), 0);
	pref_block_get(&b, 0, &r);
	assert_int_equal(r.id, 7);
	assert_int_equal(r.k, 2);
	assert_int_equal(pref_len(&r, 0), 2);
	assert_int_equal(r.tokens[r.seg[1]], 3);
	assert_int_equal(pref_counted(&r, 1), 0);
	assert_int_equal(r.cut[3], 0);
	assert_int_equal(r.meta_len, 7);
	assert_true(r.logp[0][1] == -2 && r.tlogp[0][1] == -0.5f);
	pref_block_get(&b, 1, &r);
	assert_int_equal(r.id, 8);
	assert_int_equal(r.k, 1);
	assert_int_equal(pref_len(&r, 0), 0);
	assert_int_equal(r.tokens[r.seg[1]], 6);
	assert_int_equal(r.cut[1], 9);
	assert_int_equal(r.meta_len, 0);
	assert_true(r.label[0] == -0.5f && r.tlogp[0][0] == -3);
	pref_block_release(&b);
	safetensors_release(&doc);
	buf_release(&payload);
}

static void bad_blocks_are_refused(void **state)
{
	static const struct change changes[] = {
		{0, NULL, 1, -1, 0, 0}, /* fewer ids than records */
		{0, NULL, 3, -1, 0, 0},
		{1, NULL, 2, -1, 0, 0}, /* rec */
		{1, NULL, 2, 1, 5, 0},
		{1, NULL, -1, 0, 1, 0},
		{1, NULL, -1, 0, -1, 0},
		{1, NULL, -1, 1, 6, 0},
		{1, NULL, -1, 1, -1, 0},
		{1, NULL, -1, 1, 1, 0}, /* no completion */
		{1, NULL, -1, 1, 0, 0}, /* no prompt */
		{1, NULL, -1, 1, 4, 0}, /* none in the second */
		{1, NULL, -1, 2, 6, 0},
		{1, NULL, -1, 2, INT64_MAX, 0},
		{1, NULL, -1, 2, INT64_MIN, 0},
		{2, NULL, 5, -1, 0, 0}, /* seg */
		{2, NULL, 0, -1, 0, 0},
		{2, NULL, -1, 0, 1, 0},
		{2, NULL, -1, 2, 1, 0},
		{2, NULL, -1, 2, 6, 0},
		{2, NULL, -1, 5, 6, 0},
		{2, NULL, -1, 5, 8, 0},
		{2, NULL, -1, 5, INT64_MAX, 0},
		{2, NULL, -1, 3, INT64_MIN, 0},
		{3, NULL, 6, -1, 0, 0}, /* tokens */
		{3, NULL, 8, -1, 0, 0},
		{3, NULL, -1, 0, -1, 0},
		{3, NULL, -1, 6, 8, 0},
		{3, NULL, -1, 6, INT32_MAX, 0},
		{4, NULL, 2, -1, 0, 0}, /* skip */
		{4, NULL, 4, -1, 0, 0},
		{4, NULL, -1, 0, 3, 0},
		{4, NULL, -1, 0, -1, 0},
		{4, NULL, -1, 0, 1, 0}, /* then tlogp has one too many */
		{5, NULL, 2, -1, 0, 0}, /* cut */
		{5, NULL, -1, 2, -1, 0},
		{6, NULL, 2, -1, 0, 0}, /* label */
		{6, NULL, -1, 0, 0, NAN},
		{6, NULL, -1, 0, 0, INFINITY},
		{7, NULL, 6, -1, 0, 0}, /* meta */
		{8, NULL, 2, -1, 0, 0},
		{8, NULL, -1, 1, 8, 0},
		{8, NULL, -1, 0, 1, 0},
		{9, NULL, 2, -1, 0, 0}, /* logp */
		{9, NULL, -1, 1, 0, NAN},
		{9, NULL, -1, 1, 0, -INFINITY},
		{9, NULL, -1, 1, 0, 2e-4},
		{10, NULL, 2, -1, 0, 0}, /* tlogp */
		{10, NULL, 4, -1, 0, 0},
		{10, NULL, -1, 2, 0, NAN},
		{10, NULL, -1, 2, 0, 1},
		{10, "tlogp.other", -1, -1, 0, 0}, /* names */
		{6, "lable", -1, -1, 0, 0},
		{0, "ID", -1, -1, 0, 0},
	};
	static const struct change fine[] = {
		{3, NULL, -1, 6, 0, 0},
		{4, NULL, -1, 1, 0, 0}, /* checked with tlogp, below */
		{9, NULL, -1, 1, 0, 9e-5},
		{6, NULL, -1, 0, 0, 1e30},
	};
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(open_block(&unchanged, &all, 2, &err), 0);
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
		if (open_block(&changes[i], &all, 2, &err) != ERR_CORRUPT)
			fail_msg("change %zu was taken", i);
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
		assert_int_equal(open_block(&fine[i], &all, 2, &err), i == 1 ? ERR_CORRUPT : 0);
	for (uint32_t n = 0; n < 5; n++)
		assert_int_equal(open_block(&unchanged, &all, n, &err), n == 2 ? 0 : ERR_CORRUPT);
}

static void columns_must_be_the_schemas(void **state)
{
	struct pref_schema s = all;
	struct err err = ERR_INIT;

	(void)state;
	s.label = false;
	assert_int_equal(open_block(&unchanged, &s, 2, &err), ERR_CORRUPT);
	s = all;
	s.meta = false;
	assert_int_equal(open_block(&unchanged, &s, 2, &err), ERR_CORRUPT);
	s = all;
	s.nlogps = 0;
	assert_int_equal(open_block(&unchanged, &s, 2, &err), ERR_CORRUPT);
	s = all;
	assert_int_equal(pref_schema_add(&s, "more", false, &err), 0);
	assert_int_equal(open_block(&unchanged, &s, 2, &err), ERR_CORRUPT);
	s = all;
	s.text = true;
	assert_int_equal(open_block(&unchanged, &s, 2, &err), ERR_CORRUPT);
	s = all;
	s.vocab = 7;
	assert_int_equal(open_block(&unchanged, &s, 2, &err), ERR_CORRUPT);
	s.vocab = 0;
	assert_int_equal(open_block(&unchanged, &s, 2, &err), 0);
}

/* Without tlogp, whose length would tell too. */
static void skips_are_within_completions(void **state)
{
	static const struct pref_schema s = {.vocab = 10};
	static const int64_t seg[] = {0, 1, 4};
	static const int32_t tokens[] = {1, 2, 3, 4}, skips[] = {-1, 0, 3, 4, INT32_MIN, INT32_MAX};
	struct err err = ERR_INIT;

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct pref_rec r = {.k = 1, .seg = seg, .tokens = tokens, .skip = &skips[i]};
		struct safetensors doc = SAFETENSORS_INIT;
		struct buf payload = BUF_INIT;
		struct prefcolumns c;
		struct pref_block b;

		prefcolumns_init(&c, &s);
		prefcolumns_add(&c, &r);
		assert_int_equal(prefcolumns_encode(&c, &payload, &err), 0);
		assert_int_equal(safetensors_parse(
					 &doc, payload.data, payload.len, SAFETENSORS_STRICT, &err),
			0);
		assert_int_equal(pref_block_open(&b, &s, &doc, (uint8_t *)payload.data, 1, &err),
			i == 1 || i == 2 ? 0 : -1);
		pref_block_release(&b);
		prefcolumns_release(&c);
		safetensors_release(&doc);
		buf_release(&payload);
	}
}

static void completions_are_limited(void **state)
{
	static const struct pref_schema s = {.text = true};
	static const int64_t seg[PREF_MAX_COMPLETIONS + 3];
	static const int k[] = {0, 1, PREF_MAX_COMPLETIONS, PREF_MAX_COMPLETIONS + 1};
	struct err err = ERR_INIT;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct pref_rec r = {.k = k[i], .seg = seg, .text = ""};
		struct safetensors doc = SAFETENSORS_INIT;
		struct buf payload = BUF_INIT;
		struct prefcolumns c;
		struct pref_block b;

		prefcolumns_init(&c, &s);
		prefcolumns_add(&c, &r);
		assert_int_equal(prefcolumns_encode(&c, &payload, &err), 0);
		assert_int_equal(safetensors_parse(
					 &doc, payload.data, payload.len, SAFETENSORS_STRICT, &err),
			0);
		assert_int_equal(pref_block_open(&b, &s, &doc, (uint8_t *)payload.data, 1, &err),
			i == 1 || i == 2 ? 0 : -1);
		pref_block_release(&b);
		prefcolumns_release(&c);
		safetensors_release(&doc);
		buf_release(&payload);
	}
}

static void text_must_be_utf8_in_every_segment(void **state)
{
	static const char text[] = "pr\xc3\xa4"
				   "abc";
	static const struct pref_schema s = {.text = true};
	static const int64_t rec[] = {0, 3};
	struct err err = ERR_INIT;

	(void)state;
	for (int64_t cut = 0; cut <= 7; cut++)
		for (int damage = 0; damage < 2; damage++) {
			int64_t seg[] = {0, cut, 7, 7};
			struct pref_rec r = {.k = 2, .seg = seg, .text = text};
			struct safetensors doc = SAFETENSORS_INIT;
			struct buf payload = BUF_INIT;
			struct prefcolumns c;
			struct pref_block b;

			prefcolumns_init(&c, &s);
			prefcolumns_add(&c, &r);
			assert_memory_equal(c.rec.data, rec, sizeof rec);
			assert_int_equal(prefcolumns_encode(&c, &payload, &err), 0);
			assert_int_equal(safetensors_parse(&doc, payload.data, payload.len,
						 SAFETENSORS_STRICT, &err),
				0);
			if (damage)
				payload.data[payload.len - 1] = (char)0xc3;
			assert_int_equal(
				pref_block_open(&b, &s, &doc, (uint8_t *)payload.data, 1, &err),
				cut == 3 || damage ? -1 : 0);
			pref_block_release(&b);
			prefcolumns_release(&c);
			safetensors_release(&doc);
			buf_release(&payload);
		}
}

/* Any eight bytes changed anywhere in the data: refused, or every record can still be read. */
static void changed_blocks_do_no_harm(void **state)
{
	struct safetensors doc = SAFETENSORS_INIT;
	struct buf payload = BUF_INIT;
	uint8_t *exact;
	uint32_t noise[4];

	(void)state;
	block(&payload, &doc, &unchanged);
	exact = aligned_alloc(64, (payload.len + 63) / 64 * 64);
	for (uint64_t i = 0; i < 50000; i++) {
		struct err err = ERR_INIT;
		struct pref_block b;
		struct pref_rec r;
		struct buf json = BUF_INIT;

		memcpy(exact, payload.data, payload.len);
		rng_bits(1, 2, i, noise);
		noise[1] %= i % 2 ? 9 : UINT32_MAX;
		memcpy(exact + doc.data + noise[0] % (doc.size - 4), noise + 1, 4);
		if (pref_block_open(&b, &all, &doc, exact, 2, &err) == 0)
			for (uint32_t k = 0; k < 2; k++) {
				pref_block_get(&b, k, &r);
				prefjson_write(&json, &r, &all, &err);
			}
		pref_block_release(&b);
		buf_release(&json);
	}
	free(exact);
	safetensors_release(&doc);
	buf_release(&payload);
}

/* ---- copies, ids */

static void copies_are_deep(void **state)
{
	struct safetensors doc = SAFETENSORS_INIT;
	struct buf payload = BUF_INIT;
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	struct pref_block b;
	struct pref_rec r, copy[2];
	struct buf before = BUF_INIT, after = BUF_INIT;

	(void)state;
	block(&payload, &doc, &unchanged);
	assert_int_equal(pref_block_open(&b, &all, &doc, (uint8_t *)payload.data, 2, &err), 0);
	for (uint32_t i = 0; i < 2; i++) {
		pref_block_get(&b, i, &r);
		assert_int_equal(prefjson_write(&before, &r, &all, &err), 0);
		assert_int_equal(pref_copy(&copy[i], &r, &all, &arena, &err), 0);
	}
	memset(payload.data, 0x55, payload.len);
	pref_block_release(&b);
	buf_release(&payload);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(prefjson_write(&after, &copy[i], &all, &err), 0);
	assert_string_equal(before.data, after.data);
	arena_release(&arena);
	safetensors_release(&doc);
	buf_release(&before);
	buf_release(&after);
}

static void ids_are_of_the_segments(void **state)
{
	static const int64_t seg[] = {0, 2, 3, 3}, other[] = {0, 1, 3, 3}, later[] = {1, 3, 4, 4};
	static const int32_t tokens[] = {1, 2, 3}, moved[] = {9, 1, 2, 3};
	struct pref_rec a = {.k = 2, .seg = seg, .tokens = tokens}, b = a, c = a;
	struct pref_rec text = {.k = 2, .seg = seg, .text = "a\"b"};
	struct err err = ERR_INIT;

	(void)state;
	b.seg = other;
	c.seg = later;
	c.tokens = moved;
	assert_int_equal(pref_make_id(&a, &err), 0);
	assert_int_equal(pref_make_id(&b, &err), 0);
	assert_int_equal(pref_make_id(&c, &err), 0);
	assert_int_equal(pref_make_id(&text, &err), 0);
	assert_int_not_equal(a.id, b.id);
	assert_int_equal(a.id, c.id);
	assert_int_equal(a.id, sha256_id("[[1,2],[3],[]]", 14));
	assert_int_equal(text.id, sha256_id("[\"a\\\"\",\"b\",\"\"]", 14));
}

/* ---- JSON */

static int import_line(
	const char *line, struct pref_schema *s, bool first, struct buf *again, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct json *row = json_parse(line, strlen(line), err);
	struct pref_rec r;
	int rc;

	assert_non_null(row);
	err->code = 0;
	rc = (first && prefjson_schema(s, row, err)) || prefjson_read(&r, s, row, &arena, err) ||
	     (again && prefjson_write(again, &r, s, err));
	assert_true(!rc == !err->code);
	json_free(row);
	arena_release(&arena);
	return rc ? -1 : 0;
}

static void exported_lines_come_back_the_same(void **state)
{
	static const char *const lines[] = {
		"{\"id\":\"0123456789abcdef\",\"prompt\":[1,2],\"chosen\":[3],\"rejected\":[]}\n",
		"{\"id\":\"ffffffffffffffff\",\"prompt\":[],\"completions\":[[2147483646]]}\n",
		"{\"id\":\"0000000000000000\",\"prompt\":[0],\"completions\":[[1],[2],[3]],"
		"\"skip\":[0,1,0],"
		"\"label\":[1,0,-0.25],\"cut\":[[0,1],[2,3],[4,5]],\"logp.a\":[-1,-2.5,-1."
		"17549435e-38],"
		"\"tlogp.a\":[[-1],[],[-0]],\"logp.b\":[-3.40282347e+38,-1.40129846e-45,9."
		"99999975e-05],"
		"\"meta\":{\"x\":[1,{\"y\":null}],\"z\":\"\\u0000\"}}\n",
		"{\"id\":\"0123456789abcdef\",\"prompt\":\"a\\nb\",\"chosen\":\"\xc3\xa4\\u0000\","
		"\"rejected\":\"\","
		"\"logp.x\":[-1,-2],\"meta\":{}}\n",
		"{\"id\":\"0123456789abcdef\",\"prompt\":\"ab\",\"completions\":[\"cde\"],\"plain\":[[0,1],[3,5]]}\n",
		"{\"id\":\"0123456789abcdef\",\"prompt\":\"\",\"completions\":[\"\"],\"plain\":[]}\n",
	};
	struct pref_schema s;
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		buf_clear(&b);
		if (import_line(lines[i], &s, true, &b, &err))
			fail_msg("%s: %s", lines[i], err.text);
		assert_string_equal(b.data, lines[i]);
	}
	buf_release(&b);
}

static void plain_records_are_taken(void **state)
{
	static const struct {
		const char *in, *out; /* out without the id */
	} cases[] = {
		{"{\"prompt\":[1],\"completion\":[2,3]}",
			",\"prompt\":[1],\"completions\":[[2,3]]}\n"},
		{"{\"completion\":\"b\",\"prompt\":\"a\"}",
			",\"prompt\":\"a\",\"completions\":[\"b\"]}\n"},
		{"{\"prompt\":[1],\"completions\":[[2],[3]]}",
			",\"prompt\":[1],\"chosen\":[2],\"rejected\":[3]}\n"},
		{"{\"rejected\":[3.0],\"chosen\":[2e0],\"prompt\":[]}",
			",\"prompt\":[],\"chosen\":[2],\"rejected\":[3]}\n"},
		{"{\"prompt\":[1],\"chosen\":[2],\"rejected\":[3],\"skip\":[0,0]}",
			",\"prompt\":[1],\"chosen\":[2],\"rejected\":[3]}\n"},
	};
	struct pref_schema s;
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_clear(&b);
		assert_int_equal(import_line(cases[i].in, &s, true, &b, &err), 0);
		assert_int_equal(strspn(b.data + strlen("{\"id\":\""), "0123456789abcdef"), 16);
		assert_string_equal(b.data + strlen("{\"id\":\"0123456789abcdef\""), cases[i].out);
	}
	buf_release(&b);
}

static void bad_records_say_why(void **state)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{"[1]", "not a JSON object"},
		{"{\"chosen\":[2],\"rejected\":[3]}", "prompt is missing"},
		{"{\"prompt\":[1]}", "neither \"chosen\""},
		{"{\"prompt\":[1],\"chosen\":[2]}", "neither \"chosen\""},
		{"{\"prompt\":[1],\"rejected\":[2]}", "neither \"chosen\""},
		{"{\"prompt\":[1],\"chosen\":[2],\"rejected\":[3],\"completions\":[[1]]}",
			"or both"},
		{"{\"prompt\":[1],\"completion\":[2],\"completions\":[[1]]}", "or both"},
		{"{\"prompt\":[1],\"completions\":[]}", "0 completions"},
		{"{\"prompt\":[1],\"completions\":[1]}", "completion 1 is not a list of token ids"},
		{"{\"prompt\":[1],\"completions\":{\"a\":[1]}}", "completions is not a list"},
		{"{\"prompt\":[1],\"completions\":7}", "completions is not a list"},
		{"{\"prompt\":[1],\"chosen\":[2],\"rejected\":\"x\"}",
			"completion 2 is not a list of token ids"},
		{"{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":[1]}",
			"completion 2 is not a string"},
		{"{\"prompt\":[1.5],\"completion\":[2]}",
			"prompt: 1.5 is not a whole number from 0 to"},
		{"{\"prompt\":[-1],\"completion\":[2]}", "prompt: -1 is not"},
		{"{\"prompt\":[2147483647],\"completion\":[2]}", "prompt: 2147483647 is not"},
		{"{\"prompt\":[1e300],\"completion\":[2]}", "prompt: 1"},
		{"{\"prompt\":[1],\"completion\":[\"2\"]}", "completion 1: not a number"},
		{"{\"prompt\":[1],\"completion\":[null]}", "completion 1: not a number"},
		{"{\"prompt\":[1],\"completion\":[2],\"source\":\"x\"}", "unknown field 'source'"},
		{"{\"prompt\":[1],\"prompt\":[1],\"completion\":[2]}", "field 'prompt' twice"},
		{"{\"prompt\":[1],\"completion\":[2],\"skip\":[2]}",
			"skip: 2 of a completion of 1"},
		{"{\"prompt\":[1],\"completion\":[2],\"skip\":[-1]}", "skip: -1"},
		{"{\"prompt\":[1],\"completion\":[2],\"skip\":[0,0]}", "skip is not a list of 1"},
		{"{\"prompt\":\"a\",\"completion\":\"b\",\"skip\":[0]}", "skip in text"},
		{"{\"prompt\":[1],\"completion\":[2],\"label\":1}", "label is not a list of 1"},
		{"{\"prompt\":[1],\"completion\":[2],\"label\":[1e39]}",
			"label: 1e+39 is out of range"},
		{"{\"prompt\":[1],\"completion\":[2],\"label\":[null]}", "label: not a number"},
		{"{\"prompt\":[1],\"completion\":[2],\"cut\":[0,0]}",
			"cut is not a list of 1 pairs"},
		{"{\"prompt\":[1],\"completion\":[2],\"cut\":[[0]]}", "cut is not a list of 2"},
		{"{\"prompt\":[1],\"completion\":[2],\"logp.x\":[0.1]}",
			"logp.x: 0.1 is out of range"},
		{"{\"prompt\":[1],\"completion\":[2],\"logp.x\":[-1e39]}",
			"logp.x: -1e+39 is out of range"},
		{"{\"prompt\":[1],\"completion\":[2],\"logp.x\":[-1],\"tlogp.x\":[[-1,-2]]}",
			"tlogp.x is not a list of 1"},
		{"{\"prompt\":[1],\"completion\":[2],\"logp.x\":[-1],\"tlogp.x\":[]}",
			"tlogp.x is not a list of 1"},
		{"{\"prompt\":[1],\"completion\":[2],\"tlogp.x\":[[-1]]}",
			"'tlogp.x' without the logp"},
		{"{\"prompt\":\"a\",\"completion\":\"b\",\"logp.x\":[-1],\"tlogp.x\":[[-1]]}",
			"'tlogp.x' in text"},
		{"{\"prompt\":[1],\"completion\":[2],\"logp.a b\":[-1]}", "column name 'a b'"},
		{"{\"prompt\":[1],\"completion\":[2],\"meta\":[]}", "meta is not an object"},
		{"{\"prompt\":\"a\",\"completion\":\"b\",\"plain\":[[0,3]]}", "plain: not a range of 2 bytes"},
		{"{\"prompt\":\"a\",\"completion\":\"b\",\"plain\":[[1,1]]}", "plain: not a range of 2 bytes"},
		{"{\"prompt\":\"a\",\"completion\":\"b\",\"plain\":[0,1]}", "plain: not a range of 2 bytes"},
		{"{\"prompt\":[1],\"completion\":[2],\"plain\":[[0,1]]}", "plain is not a list of ranges of text"},
		{"{\"prompt\":[1],\"completion\":[2],\"id\":7}", "id is not 16"},
		{"{\"prompt\":[1],\"completion\":[2],\"id\":\"0123456789ABCDEF\"}", "id is not 16"},
		{"{\"prompt\":[1],\"completion\":[2],\"id\":\"0123456789abcdef0\"}",
			"id is not 16"},
	};
	struct pref_schema s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = ERR_INIT;

		if (import_line(cases[i].line, &s, true, NULL, &err) == 0)
			fail_msg("%s was taken", cases[i].line);
		if (err.code != ERR_CORRUPT ||
			strncmp(err.text, cases[i].why, strlen(cases[i].why)))
			if (!strstr(err.text, cases[i].why))
				fail_msg("%s: %s", cases[i].line, err.text);
	}
}

static void records_must_agree_with_the_first(void **state)
{
	static const char *const firsts[] = {
		"{\"prompt\":[1],\"completion\":[2]}",
		"{\"prompt\":[1],\"completion\":[2],\"label\":[1]}",
		"{\"prompt\":[1],\"completion\":[2],\"cut\":[[0,0]]}",
		"{\"prompt\":[1],\"completion\":[2],\"meta\":{}}",
		"{\"prompt\":[1],\"completion\":[2],\"logp.a\":[-1]}",
		"{\"prompt\":[1],\"completion\":[2],\"logp.b\":[-1]}",
		"{\"prompt\":[1],\"completion\":[2],\"logp.a\":[-1],\"tlogp.a\":[[-1]]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++)
		for (size_t j = 0; j < sizeof firsts / sizeof *firsts; j++) {
			struct pref_schema s;
			struct err err = ERR_INIT;

			assert_int_equal(import_line(firsts[i], &s, true, NULL, &err), 0);
			assert_int_equal(
				import_line(firsts[j], &s, false, NULL, &err), i == j ? 0 : -1);
			assert_int_equal(err.code, i == j ? 0 : ERR_MISMATCH);
		}
}

static void vocabulary_bounds_tokens(void **state)
{
	struct pref_schema s;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
		import_line("{\"prompt\":[9],\"completion\":[2]}", &s, true, NULL, &err), 0);
	s.vocab = 10;
	assert_int_equal(
		import_line("{\"prompt\":[9],\"completion\":[2]}", &s, false, NULL, &err), 0);
	s.vocab = 9;
	assert_int_equal(
		import_line("{\"prompt\":[9],\"completion\":[2]}", &s, false, NULL, &err), -1);
	assert_string_equal(err.text, "prompt: 9 is not a whole number from 0 to 8");
}

/* Floats of all kinds, through text and back, bit for bit. */
static void floats_come_back_bit_for_bit(void **state)
{
	static const int64_t seg[] = {0, 0, 0};
	static const struct pref_schema s = {.text = true, .label = true};
	struct arena arena = ARENA_INIT;

	(void)state;
	for (uint64_t i = 0; i < 100000; i++) {
		struct buf b = BUF_INIT;
		struct err err = ERR_INIT;
		struct json *row;
		uint32_t r[4];
		float x;
		struct pref_rec rec = {.k = 1, .seg = seg, .text = "", .label = &x}, back;

		rng_bits(4, 4, i, r);
		memcpy(&x, r, sizeof x);
		if (!isfinite(x))
			continue;
		assert_int_equal(prefjson_write(&b, &rec, &s, &err), 0);
		row = json_parse(b.data, b.len, &err);
		assert_int_equal(prefjson_read(&back, &s, row, &arena, &err), 0);
		assert_memory_equal(back.label, &x, sizeof x);
		json_free(row);
		buf_release(&b);
		arena_clear(&arena);
	}
	arena_release(&arena);
}

/* ---- splitting */

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
	char folder[] = "/tmp/test_pref.XXXXXX", whole[64], prefix[64], names[64][80], *paths[64];
	struct err err = ERR_INIT;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(whole, sizeof whole, "%s/whole", folder);
	snprintf(prefix, sizeof prefix, "%s/p", folder);
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
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schemas_go_through_metadata),
		cmocka_unit_test(foreign_schemas_are_refused),
		cmocka_unit_test(columns_are_added_once),
		cmocka_unit_test(what_counts),
		cmocka_unit_test(good_block_is_taken),
		cmocka_unit_test(bad_blocks_are_refused),
		cmocka_unit_test(columns_must_be_the_schemas),
		cmocka_unit_test(skips_are_within_completions),
		cmocka_unit_test(completions_are_limited),
		cmocka_unit_test(text_must_be_utf8_in_every_segment),
		cmocka_unit_test(changed_blocks_do_no_harm),
		cmocka_unit_test(copies_are_deep),
		cmocka_unit_test(ids_are_of_the_segments),
		cmocka_unit_test(exported_lines_come_back_the_same),
		cmocka_unit_test(plain_records_are_taken),
		cmocka_unit_test(bad_records_say_why),
		cmocka_unit_test(records_must_agree_with_the_first),
		cmocka_unit_test(vocabulary_bounds_tokens),
		cmocka_unit_test(floats_come_back_bit_for_bit),
		cmocka_unit_test(parts_hold_all_records_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
