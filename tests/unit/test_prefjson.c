/* Preference records as JSON: read, refused with the reason, and written as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "io/prefjson.h"

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
		"{\"id\":\"0123456789abcdef\",\"prompt\":\"ab\",\"completions\":[\"cde\"],"
		"\"plain\":[[0,1],[3,5]]}\n",
		"{\"id\":\"0123456789abcdef\",\"prompt\":\"\",\"completions\":[\"\"],\"plain\":[]}"
		"\n",
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
		{"{\"prompt\":\"a\",\"completion\":\"b\",\"plain\":[[0,3]]}",
			"plain: not a range of 2 bytes"},
		{"{\"prompt\":\"a\",\"completion\":\"b\",\"plain\":[[1,1]]}",
			"plain: not a range of 2 bytes"},
		{"{\"prompt\":\"a\",\"completion\":\"b\",\"plain\":[0,1]}",
			"plain: not a range of 2 bytes"},
		{"{\"prompt\":[1],\"completion\":[2],\"plain\":[[0,1]]}",
			"plain is not a list of ranges of text"},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exported_lines_come_back_the_same),
		cmocka_unit_test(plain_records_are_taken),
		cmocka_unit_test(bad_records_say_why),
		cmocka_unit_test(records_must_agree_with_the_first),
		cmocka_unit_test(vocabulary_bounds_tokens),
		cmocka_unit_test(floats_come_back_bit_for_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
