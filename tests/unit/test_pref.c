/* Preference records: schemas, what counts, blocks that are not what they should be, copies and ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/sha256.h"
#include "io/prefcolumns.h"
#include "io/prefjson.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
