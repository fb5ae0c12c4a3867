/* JSON: what is taken, what is refused and where, and what is written. */
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

#include "base/rng.h"
#include "io/json.h"

static struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(text, strlen(text), &err);

	if (!v)
		print_message("%s: %s\n", text, err.text);
	assert_non_null(v);
	return v;
}

static void assert_writes(const char *text, const char *want)
{
	struct json *v = parse(text);
	struct buf b = BUF_INIT;

	json_write(&b, v);
	assert_string_equal(b.data, want);
	buf_release(&b);
	json_free(v);
}

static void values_have_kinds(void **state)
{
	struct json *v = parse(
		" {\"a\":null,\"b\":true,\"c\":-1.5e2,\"d\":\"x\",\"e\":[1,2],\"f\":{}}\r\n\t");
	static const enum json_kind kinds[] = {
		JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT};
	const struct json *e = json_first(v);
	double x;
	int64_t i;
	bool yes;
	size_t n;

	(void)state;
	assert_int_equal(json_count(v), 6);
	for (int k = 0; k < 6; k++, e = json_next(e)) {
		assert_int_equal(json_kind(e), kinds[k]);
		assert_int_equal(json_key(e)[0], 'a' + k);
		assert_ptr_equal(json_get(v, json_key(e)), e);
	}
	assert_null(e);
	assert_null(json_get(v, "A"));
	assert_true(json_number(json_get(v, "c"), &x) && x == -150);
	assert_true(json_int(json_get(v, "c"), &i) && i == -150);
	assert_true(json_bool(json_get(v, "b"), &yes) && yes);
	assert_string_equal(json_string(json_get(v, "d"), &n), "x");
	assert_int_equal(n, 1);
	assert_null(json_key(json_first(json_get(v, "e"))));
	json_free(v);
}

static void nothing_is_a_value_too(void **state)
{
	double x;
	int64_t i;
	bool yes;

	(void)state;
	assert_int_equal(json_kind(NULL), JSON_NONE);
	assert_null(json_first(NULL));
	assert_null(json_next(NULL));
	assert_null(json_get(NULL, "a"));
	assert_null(json_key(NULL));
	assert_null(json_text(NULL));
	assert_int_equal(json_count(NULL), 0);
	assert_false(json_number(NULL, &x) || json_int(NULL, &i) || json_bool(NULL, &yes));
	json_free(NULL);
}

static void integers_are_within_doubles(void **state)
{
	static const struct {
		const char *text;
		bool is;
		int64_t value;
	} cases[] = {
		{"9007199254740992", true, 9007199254740992},
		{"-9007199254740992", true, -9007199254740992},
		{"9007199254740994", false, 0},
		{"1e3", true, 1000},
		{"1.5", false, 0},
		{"1e300", false, 0},
		{"-0", true, 0},
	};

	(void)state;
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct json *v = parse(cases[k].text);
		int64_t i;

		assert_int_equal(json_int(v, &i), cases[k].is);
		if (cases[k].is)
			assert_int_equal(i, cases[k].value);
		json_free(v);
	}
}

static void mistakes_are_found_where_they_are(void **state)
{
	static const struct {
		const char *text;
		size_t n; /* 0: strlen */
		const char *message;
	} cases[] = {
		{"", 0, "no JSON: 0 bytes"},
		{"{\"a\":1} x", 0, "not JSON at byte 8"},
		{"{\"a\":1}{", 0, "not JSON at byte 7"},
		{"1 2", 0, "not JSON at byte 2"},
		{"\"\\u0000\\u0000\" x", 0, "not JSON at byte 15"},
		{"\"a\xff\"", 0, "byte 2 is not valid UTF-8"},
		{"\"\xed\xa0\x80\"", 0, "byte 1 is not valid UTF-8"},
		{"[1,\0]", 5, "not JSON at byte 3: a control character"},
		{"[1]\0", 4, "not JSON at byte 3: a control character"},
		{"\"\x01\"", 0, "not JSON at byte 1: a control character"},
		{"{\"a\\u0000b\":1}", 0, "not usable JSON: a name holds a zero byte"},
		{"[1e999]", 0, "not usable JSON: a number is too large"},
	};
	static const char *const bad[] = {"{", "[", "\"", "\"\\", "\"\\u12", "\"\\u12\"", "\"\\x\"",
		"tru", "nul", "NaN", "Infinity", "-", "+1", ".5", "{\"a\"}", "{\"a\":}", "{a:1}",
		"{'a':1}", "[1,]", "{\"a\":1,}", "[1 2]", "\"\\ud800\"", "\"\\udc00\"",
		"\"\\ud800\\u0041\"", "]", "}", ",", " ", "[1}", "{\"a\":1]"};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err err = ERR_INIT;
		size_t n = cases[i].n ? cases[i].n : strlen(cases[i].text);

		assert_null(json_parse(cases[i].text, n, &err));
		assert_int_equal(err.code, ERR_CORRUPT);
		assert_string_equal(err.text, cases[i].message);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = ERR_INIT;
		struct json *v = json_parse(bad[i], strlen(bad[i]), &err);

		if (v)
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(err.code, ERR_CORRUPT);
	}
}

/* The text need not end in a zero byte, and is never read beyond its end. */
static void every_cut_is_refused(void **state)
{
	static const char text[] = "{\"a\":[1,2.5,\"x\\u00e4\\n\\u0000\\ud83d\\ude00\",true,null],"
				   "\"b\":{\"c\":-1e-2}}";

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		struct err err = ERR_INIT;
		char *exact = malloc(n ? n : 1);

		memcpy(exact, text, n);
		assert_null(json_parse(exact, n, &err));
		assert_int_equal(err.code, ERR_CORRUPT);
		free(exact);
	}
}

static void depth_is_limited(void **state)
{
	char deep[200001];
	struct err err = ERR_INIT;
	struct json *v;

	(void)state;
	for (size_t n = 1; n <= 100000; n *= 10) {
		memset(deep, '[', n);
		memset(deep + n, ']', n);
		v = json_parse(deep, 2 * n, &err);
		assert_int_equal(!!v, n <= 1000);
		json_free(v);
		memset(deep, '[', sizeof deep);
		assert_null(json_parse(deep, n, &err));
	}
}

static void strings_hold_anything(void **state)
{
	static const struct {
		const char *json, *text;
		size_t n;
	} cases[] = {
		{"\"\"", "", 0},
		{"\"a\\u0000b\"", "a\0b", 3},
		{"\"\\u0000\"", "\0", 1},
		{"\"\\\\u0000\"", "\\u0000", 6},
		{"\"\\\\\\u0000\"", "\\\0", 2},
		{"\"\\u0000\\u0000x\"", "\0\0x", 3},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
		{"\"\\u00e4\\u20ac\\ud83d\\ude00\"", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9},
		{"\"\xc3\xa4\xf0\x9f\x98\x80\"", "\xc3\xa4\xf0\x9f\x98\x80", 6},
		{"\"\\uABcd\"", "\xea\xaf\x8d", 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json *v = parse(cases[i].json);
		size_t n;
		const char *s = json_string(v, &n);

		assert_int_equal(n, cases[i].n);
		assert_memory_equal(s, cases[i].text, n + 1);
		json_free(v);
	}
}

static void writing_is_canonical(void **state)
{
	(void)state;
	assert_writes(" { \"b\" : [ 1 , 2.50 , -0.0 ] , \"a\" : \"\\u00e4\\/\\u0001\\u007f\" } ",
		"{\"b\":[1,2.50,-0.0],\"a\":\"\xc3\xa4/\\u0001\x7f\"}");
	assert_writes("\"\\u0000\\b\\f\\n\\r\\t\\\"\\\\\"", "\"\\u0000\\b\\f\\n\\r\\t\\\"\\\\\"");
	assert_writes("[true,false,null,[],{}]", "[true,false,null,[],{}]");
	assert_writes("[1e5,1E20,{\"\\\"1\":-1.0e-7},123456789012345,12345678901234567890,0.1,007]",
		"[1e5,1E20,{\"\\\"1\":-1.0e-7},123456789012345,12345678901234567890,0.1,7]");
	assert_writes("{\"a\":1,\"a\":2,\"A\":3}", "{\"a\":1,\"a\":2,\"A\":3}");
}

static void numbers_read_back_the_same(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 20000; i++) {
		struct buf b = BUF_INIT;
		struct json *v;
		uint32_t r[4];
		double x, back;

		rng_bits(1, 2, i, r);
		memcpy(&x, r, sizeof x);
		if (i % 3 == 0)
			x = (double)(float)rng_uniform(1, 3, i);
		if (!isfinite(x))
			continue;
		json_put_number(&b, x);
		v = parse(b.data);
		assert_true(json_number(v, &back));
		assert_memory_equal(&x, &back, sizeof x);
		json_free(v);
		buf_release(&b);
	}
}

static void not_a_number_is_null(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	json_put_number(&b, NAN);
	json_put_number(&b, INFINITY);
	assert_string_equal(b.data, "nullnull");
	buf_release(&b);
}

static void files_are_limited(void **state)
{
	char path[] = "/tmp/test_json.XXXXXX";
	int fd = mkstemp(path);
	struct err err = ERR_INIT;
	struct json *v;

	(void)state;
	assert_int_equal(write(fd, "[1,2,3]", 7), 7);
	v = json_load(path, 7, &err);
	assert_int_equal(json_count(v), 3);
	json_free(v);
	assert_null(json_load(path, 6, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(write(fd, "]", 1), 1);
	assert_null(json_load(path, 100, &err));
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_non_null(strstr(err.text, path));
	close(fd);
	unlink(path);
	assert_null(json_load(path, 100, &err));
	assert_int_equal(err.code, ERR_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_have_kinds),
		cmocka_unit_test(nothing_is_a_value_too),
		cmocka_unit_test(integers_are_within_doubles),
		cmocka_unit_test(mistakes_are_found_where_they_are),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(strings_hold_anything),
		cmocka_unit_test(writing_is_canonical),
		cmocka_unit_test(numbers_read_back_the_same),
		cmocka_unit_test(not_a_number_is_null),
		cmocka_unit_test(files_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
