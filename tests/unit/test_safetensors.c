/* safetensors headers: what strict and lenient reading take, and what neither does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "io/safetensors.h"

/* A document of that header, padded with spaces to a multiple of pad, and n zero bytes of data. */
static void make(struct buf *out, const char *json, size_t pad, size_t n)
{
	uint64_t length = strlen(json);

	while ((8 + length) % pad)
		length++;
	buf_clear(out);
	buf_add(out, &length, 8);
	buf_add_str(out, json);
	while (out->len < 8 + length)
		buf_add_char(out, ' ');
	for (size_t i = 0; i < n; i++)
		buf_add_char(out, 0);
}

/* 0 or the error's code. The document stands at the very end of its memory. */
static int parse(const char *json, size_t n, enum safetensors_rules rules, struct err *err)
{
	struct safetensors s = SAFETENSORS_INIT;
	struct buf doc = BUF_INIT;
	void *exact;
	int rc;

	make(&doc, json, 64, n);
	exact = malloc(doc.len);
	memcpy(exact, doc.data, doc.len);
	err->code = 0;
	rc = safetensors_parse(&s, exact, doc.len, rules, err);
	assert_true(!rc == !err->code);
	safetensors_release(&s);
	buf_release(&doc);
	free(exact);
	return err->code;
}

struct sample {
	const char *json;
	size_t data;
	int strict, lenient; /* codes */
};

static const struct sample samples[] = {
	/* Good ones, canonical or not. */
	{"{}", 0, 0, 0},
	{"{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\"}}", 0, 0, 0},
	{"{\"__metadata__\":{\"a\":\"1\"},\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":["
	 "0,8]}}",
		8, 0, 0},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, 0, 0},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[0,0]}}", 0, 0, 0},
	{"{\"b\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
	 "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]}}",
		9, 0, 0},
	{"{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
	 "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
		2, ERR_CORRUPT, 0}, /* names out of order */
	{"{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
	 "\"b\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[8,16]}}",
		16, ERR_CORRUPT, 0}, /* sizes out of order */
	{"{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]},"
	 "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
		2, ERR_CORRUPT, 0},
	{"{ \"x\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}}", 8, ERR_CORRUPT,
		0},
	{"{\"x\":{\"shape\":[2],\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, ERR_CORRUPT, 0},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, ERR_CORRUPT, 0},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[02],\"data_offsets\":[0,8e0]}}", 8, ERR_CORRUPT, 0},
	{"{\"\\u0078\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, ERR_CORRUPT,
		0},
	{"{\"__metadata__\":{}}", 0, ERR_CORRUPT, 0},
	{"{\"__metadata__\":{\"b\":\"1\",\"a\":\"2\"}}", 0, ERR_CORRUPT, 0},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"__metadata__\":{\"a\":"
	 "\"1\"}}",
		1, ERR_CORRUPT, 0},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, ERR_CORRUPT,
		0},

	/* Not headers. */
	{"", 0, ERR_CORRUPT, ERR_CORRUPT},
	{"[]", 0, ERR_CORRUPT, ERR_CORRUPT},
	{" {}", 0, ERR_CORRUPT, ERR_CORRUPT},
	{"{", 0, ERR_CORRUPT, ERR_CORRUPT},
	{"{}{}", 0, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":1}", 0, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":{}}", 0, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"y\":1}}", 8, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}", 8, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"__metadata__\":[]}", 0, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"__metadata__\":{\"a\":1}}", 0, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"__metadata__\":{\"a\":\"x\\u0000y\"}}", 0, ERR_CORRUPT, ERR_CORRUPT},

	/* Duplicates. */
	{"{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}}", 0, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"__metadata__\":{\"a\":\"1\"},\"__metadata__\":{\"b\":\"1\"}}", 0, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
	 "\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
		2, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
		ERR_CORRUPT, ERR_CORRUPT},

	/* Holes, overlaps, ends. */
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 2, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 1, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
	 "\"y\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}",
		3, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
	 "\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
		3, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
	 "\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
		2, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]}}", 0, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{}", 1, ERR_CORRUPT, ERR_CORRUPT},

	/* Numbers. */
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,-8]}}", 8, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[-2,-1],\"data_offsets\":[0,8]}}", 8, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,10]}}", 10, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[1e308],\"data_offsets\":[0,1]}}", 1, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[1e999],\"data_offsets\":[0,1]}}", 1, ERR_CORRUPT,
		ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[18446744073709551617],\"data_offsets\":[0,1]}}", 1,
		ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
		ERR_CORRUPT, ERR_CORRUPT}, /* 2^64 */
	{"{\"x\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952,1],\"data_offsets\":[0,0]}}", 0,
		ERR_CORRUPT, ERR_CORRUPT}, /* times 8 is 2^64 */
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[9007199254740992,9007199254740992,0],\"data_"
	 "offsets\":[0,0]}}",
		0, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[9007199254740991,"
	 "9007199254740992]}}",
		1, ERR_CORRUPT, ERR_CORRUPT},
	{"{\"x\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
		ERR_CORRUPT, ERR_CORRUPT},
};

static void samples_are_taken_or_refused(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		const struct sample *s = &samples[i];

		if (parse(s->json, s->data, SAFETENSORS_STRICT, &err) != s->strict)
			fail_msg("strictly: %s: %s", s->json, err.text);
		if (parse(s->json, s->data, SAFETENSORS_LENIENT, &err) != s->lenient)
			fail_msg("leniently: %s: %s", s->json, err.text);
	}
}

static void lengths_are_checked(void **state)
{
	static const uint64_t lengths[] = {57, 1 << 20, ((uint64_t)1 << 20) + 1, 100000001,
		(uint64_t)1 << 63, UINT64_MAX - 7, UINT64_MAX};
	struct buf doc = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	make(&doc, "{}", 64, 0);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct safetensors s = SAFETENSORS_INIT;

		memcpy(doc.data, &lengths[i], 8);
		assert_int_equal(
			safetensors_parse(&s, doc.data, doc.len, SAFETENSORS_LENIENT, &err), -1);
		assert_int_equal(err.code, ERR_CORRUPT);
		safetensors_release(&s);
	}
	for (size_t n = 0; n < 8; n++) {
		struct safetensors s = SAFETENSORS_INIT;

		assert_int_equal(safetensors_parse(&s, doc.data, n, SAFETENSORS_LENIENT, &err), -1);
		safetensors_release(&s);
	}
	buf_release(&doc);
}

/* Padding: a multiple of 64, with no more spaces than it takes; as many as one likes without tensors. */
static void padding_is_canonical(void **state)
{
	static const char tensor[] =
		"{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}";
	static const struct {
		const char *json;
		size_t pad;
		int rc;
	} cases[] = {{"{}", 64, 0}, {"{}", 1024, 0}, {"{}", 1, -1}, {"{}", 32, -1}, {tensor, 64, 0},
		{tensor, 256, -1}, {tensor, 1, -1}};
	struct buf doc = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct safetensors s = SAFETENSORS_INIT;
		struct err err = ERR_INIT;

		make(&doc, cases[i].json, cases[i].pad, 0);
		assert_int_equal(safetensors_parse(&s, doc.data, doc.len, SAFETENSORS_STRICT, &err),
			cases[i].rc);
		safetensors_release(&s);
	}
	buf_release(&doc);
}

static void limits_of_strict_reading(void **state)
{
	struct safetensors s = SAFETENSORS_INIT, back = SAFETENSORS_INIT;
	struct buf doc = BUF_INIT;
	struct err err = ERR_INIT;
	int64_t none = 0;
	char name[16];

	(void)state;
	for (int n = 1; n <= 65; n++) {
		snprintf(name, sizeof name, "t%d", n);
		assert_int_equal(safetensors_add(&s, name, U8, 1, &none, &err), 0);
		buf_clear(&doc);
		assert_int_equal(safetensors_encode(&s, &doc, &err), 0);
		assert_int_equal(
			safetensors_parse(&back, doc.data, doc.len, SAFETENSORS_STRICT, &err),
			n <= 64 ? 0 : -1);
		safetensors_release(&back);
		assert_int_equal(
			safetensors_parse(&back, doc.data, doc.len, SAFETENSORS_LENIENT, &err), 0);
		assert_int_equal(back.n, n);
		safetensors_release(&back);
	}
	safetensors_release(&s);
	buf_release(&doc);
}

static void nesting_is_limited(void **state)
{
	struct err err = ERR_INIT;
	char *deep = malloc(2000101);
	size_t n = 1000000;

	(void)state;
	strcpy(deep, "{\"x\":");
	memset(deep + 5, '[', n);
	memset(deep + 5 + n, ']', n);
	strcpy(deep + 5 + 2 * n, "}");
	assert_int_equal(parse(deep, 0, SAFETENSORS_LENIENT, &err), ERR_CORRUPT);
	free(deep);
}

static void documents_round_trip(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct safetensors s = SAFETENSORS_INIT, back = SAFETENSORS_INIT;
		struct buf doc = BUF_INIT, again = BUF_INIT;
		struct err err = ERR_INIT;
		uint32_t r[4];
		size_t data;

		for (uint64_t i = 0; i < seed % 60; i++) {
			int64_t shape[4];
			char name[40];

			rng_bits(seed, 1, i, r);
			for (int d = 0; d < 4; d++)
				shape[d] = (r[3] >> (4 * d)) & 7;
			snprintf(name, sizeof name, "%x \"\\\n\xc3\xa4", r[0]);
			assert_int_equal(safetensors_add(&s, name, (enum dtype)(r[1] % DTYPE_COUNT),
						 (int)(r[2] % 5), shape, &err),
				0);
		}
		for (uint64_t i = 0; i < seed % 5; i++) {
			char key[8] = {(char)('z' - (int)i)};

			assert_int_equal(meta_set(&s.meta, key, "\t\x7f\xe2\x82\xac", &err), 0);
		}
		assert_int_equal(safetensors_encode(&s, &doc, &err), 0);
		assert_int_equal(doc.len % 64, 0);
		assert_int_equal(s.data, doc.len);
		data = s.size;
		assert_non_null(buf_extend(&doc, data));
		assert_int_equal(
			safetensors_parse(&back, doc.data, doc.len, SAFETENSORS_STRICT, &err), 0);
		assert_int_equal(back.n, s.n);
		assert_int_equal(back.data, s.data);
		for (size_t i = 0; i < s.n; i++) {
			const struct safetensor *a = &s.tensors[i],
						*b = safetensors_find(&back, a->name);

			assert_ptr_equal(b, &back.tensors[i]);
			assert_int_equal(a->begin, b->begin);
			assert_int_equal(a->end, b->end);
			assert_int_equal(a->begin % dtype_size(a->dtype), 0);
			assert_int_equal(
				safetensor_count(b) * dtype_size(b->dtype), b->end - b->begin);
		}
		assert_null(safetensors_find(&back, "no such"));
		assert_int_equal(safetensors_encode(&back, &again, &err), 0);
		assert_int_equal(again.len, s.data);
		assert_memory_equal(again.data, doc.data, again.len);
		safetensors_release(&s);
		safetensors_release(&back);
		buf_release(&doc);
		buf_release(&again);
	}
}

static void too_large_tensors_are_refused(void **state)
{
	struct safetensors s = SAFETENSORS_INIT;
	struct buf doc = BUF_INIT;
	struct err err = ERR_INIT;
	int64_t shape[2] = {(int64_t)1 << 40, (int64_t)1 << 40};

	(void)state;
	assert_int_equal(safetensors_add(&s, "x", F32, 2, shape, &err), 0);
	assert_int_equal(safetensors_encode(&s, &doc, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	safetensors_release(&s);
	buf_release(&doc);
}

/* Every byte of a header changed to many others: refused, or still a sound header; never a crash. */
static void changed_bytes_do_no_harm(void **state)
{
	static const char json[] =
		"{\"__metadata__\":{\"a\":\"1\"},\"bb\":{\"dtype\":\"I64\",\"shape\":[2,1],"
		"\"data_offsets\":[0,16]},\"c\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":["
		"16,22]}}";
	struct buf doc = BUF_INIT;

	(void)state;
	make(&doc, json, 64, 22);
	for (size_t i = 0; i < doc.len - 22; i++)
		for (int c = 0; c < 256; c++) {
			struct safetensors s = SAFETENSORS_INIT;
			struct err err = ERR_INIT;
			char was = doc.data[i];

			doc.data[i] = (char)c;
			if (safetensors_parse(&s, doc.data, doc.len, SAFETENSORS_LENIENT, &err) ==
				0)
				for (size_t t = 0; t < s.n; t++)
					assert_true(s.tensors[t].end <= s.size);
			safetensors_release(&s);
			if (safetensors_parse(&s, doc.data, doc.len, SAFETENSORS_STRICT, &err) == 0)
				assert_true(s.n == 2 && s.size == 22);
			safetensors_release(&s);
			doc.data[i] = was;
		}
	buf_release(&doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_taken_or_refused),
		cmocka_unit_test(lengths_are_checked),
		cmocka_unit_test(padding_is_canonical),
		cmocka_unit_test(limits_of_strict_reading),
		cmocka_unit_test(nesting_is_limited),
		cmocka_unit_test(documents_round_trip),
		cmocka_unit_test(too_large_tensors_are_refused),
		cmocka_unit_test(changed_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
