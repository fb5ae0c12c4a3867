/* lib/io/lines: records of JSON Lines and of one array, their places, and files that are not whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "io/lines.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static char path[] = "/tmp/test_lines.XXXXXX";

static void put(const char *text, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* All records as "LINE:TEXT|", and what the last call of next() returned. */
static int collect_by(int (*next)(struct lines *l, struct lines_record *r, struct err *err), size_t limit,
	struct buf *out, struct err *err)
{
	struct lines *l = lines_open(path, limit, NULL, err);
	struct lines_record r;
	int rc;

	assert_non_null(l);
	while ((rc = next(l, &r, err)) == 1) {
		buf_add_fmt(out, "%llu:", (unsigned long long)r.line);
		buf_add(out, r.text, r.len);
		buf_add_char(out, '|');
	}
	lines_close(l);
	buf_add_str(out, "");
	assert_int_equal(buf_check(out, err), 0);
	return rc;
}

static int collect(size_t limit, struct buf *out, struct err *err)
{
	return collect_by(lines_next, limit, out, err);
}

/* Plain lines, as they stand; what looks like JSON or a table is none here. */
static void reads_plain_lines(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"\n", "1:|"},
		{"a", "1:a|"},
		{" a \n\n\tb\r\n\r\n[1,\n", "1: a |2:|3:\tb|4:|5:[1,|"},
		{"x,y\n\"1\n", "1:x,y|2:\"1|"},
		{"a\r", "1:a\r|"},
	};
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		put(cases[i][0], strlen(cases[i][0]));
		buf_clear(&out);
		assert_int_equal(collect_by(lines_next_plain, 100, &out, &err), 0);
		assert_string_equal(out.data, cases[i][1]);
	}
	put("one\nfour\n", 9);
	buf_clear(&out);
	assert_int_equal(collect_by(lines_next_plain, 3, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(out.data, "1:one|");
	buf_release(&out);
}

static void finds_records(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{" \n\t\r\n", ""},
		{"{\"a\":1}\n{\"a\":2}\n", "1:{\"a\":1}|2:{\"a\":2}|"},
		{"1\n2", "1:1|2:2|"},
		{"\n\n  {\"a\": 1} \r\n\n\r\n[2]\r\n", "3:{\"a\": 1}|6:[2]|"},
		{"\xef\xbb\xbf{}\n", "1:{}|"},
		{"\xef\xbb\xbf [{}]", "1:{}|"},
		{"{\"torn\n\"]\n", "1:{\"torn|2:\"]|"},
		{"[]", ""},
		{"\n[ \n ]\n", ""},
		{"[1]", "1:1|"},
		{"[{\"a\":1},{\"a\":2}]", "1:{\"a\":1}|1:{\"a\":2}|"},
		{"[\n {\n  \"a\": [1, {}]\n },\n\n {} , null,\"x,]}\"\n, 1.5 ]\n\n",
			"2:{\n  \"a\": [1, {}]\n }|6:{}|6:null|6:\"x,]}\"|7:1.5|"},
		{"[{\"a\":\"]}\\\"{[\\\\\"},[[\"\\\\\"]]]",
			"1:{\"a\":\"]}\\\"{[\\\\\"}|1:[[\"\\\\\"]]|"},
		{"[more nonsense, {:}]", "1:more nonsense|1:{:}|"},
	};
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		put(cases[i][0], strlen(cases[i][0]));
		assert_int_equal(collect(LINES_MAX_RECORD, &out, &err), 0);
		assert_string_equal(out.data, cases[i][1]);
		buf_clear(&out);
	}
	buf_release(&out);
}

static void reads_tables(void **state)
{
	static const char *const cases[][2] = {
		{"a,b\n1,2\n", "2:{\"a\":\"1\",\"b\":\"2\"}|"},
		{"\xef\xbb\xbf\n a,b\r\n\r\n1, 2 \r\n,\r\n", "4:{\" a\":\"1\",\"b\":\" 2 \"}|5:{\" a\":\"\",\"b\":\"\"}|"},
		{"\tx\n\ty\n0\t\n", "2:{\"\":\"\",\"x\":\"y\"}|3:{\"\":\"0\",\"x\":\"\"}|"},
		{"\"a,\"\"\",\"b\nc\"\n\"1\n\n2\",\"\"\"q\"\"\"\n3,a \"4\"",
			"3:{\"a,\\\"\":\"1\\n\\n2\",\"b\\nc\":\"\\\"q\\\"\"}|6:{\"a,\\\"\":\"3\",\"b\\nc\":\"a \\\"4\\\"\"}|"},
		{"a\tb,c\nx,y\tz\n", "2:{\"a\":\"x,y\",\"b,c\":\"z\"}|"},
		{"a,b\n", ""},
		{"\"one, two\"\n3\n", "1:\"one, two\"|2:3|"},
	};
	static const char *const faults[][2] = {
		{"a,b\n1\n", "fewer fields than the 2 columns"},
		{"a,b\n\n1,2,3\n", "more fields than the 2 columns"},
		{"a,b\n1,\"2\n", "a quote is not closed"},
		{"a,b\n1,\"2\" \n", "text behind a closing quote"},
		{"a,a\n", "two columns are named \"a\""},
	};
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_clear(&out);
		put(cases[i][0], strlen(cases[i][0]));
		assert_int_equal(collect(1000, &out, &err), 0);
		assert_string_equal(out.data, cases[i][1]);
	}
	for (size_t i = 0; i < COUNT(faults); i++) {
		put(faults[i][0], strlen(faults[i][0]));
		assert_int_equal(collect(1000, &out, &err), -1);
		assert_int_equal(err.code, ERR_CORRUPT);
		assert_non_null(strstr(err.text, faults[i][1]));
		assert_non_null(strstr(err.text, path));
	}
	buf_release(&out);
}

static void tells_blank_files(void **state)
{
	static const struct {
		const char *text;
		bool blank;
	} cases[] = {{"", true}, {" \n\t\r\n", true}, {"\xef\xbb\xbf\n", true}, {"\n[ \n ]", false}, {"a,b\n", false},
		{"\n{}\n", false}};
	struct err err = ERR_INIT;
	struct lines_record r;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lines *l;
		int rc;

		put(cases[i].text, strlen(cases[i].text));
		l = lines_open(path, 100, NULL, &err);
		assert_non_null(l);
		while ((rc = lines_next(l, &r, &err)) == 1)
			;
		assert_int_equal(rc, 0);
		assert_int_equal(lines_blank(l), cases[i].blank);
		lines_close(l);
	}
}

static void names_faults(void **state)
{
	static const struct {
		const char *text;
		int line;
		const char *message;
	} cases[] = {
		{"[", 1, "the file ends inside the array"},
		{"[1,\n2", 2, "the file ends inside the element that starts here"},
		{"[1,\n2,", 2, "the file ends inside the array"},
		{"[\n{\"a\":\n[1}]", 3, "'}' does not close what is open"},
		{"[\n}]", 2, "'}' does not close what is open"},
		{"[{}\n{}]", 2, "no ',' or ']' after an element of the array"},
		{"[{}\nnonsense, {}]", 2, "no ',' or ']' after an element of the array"},
		{"[{}\n,]", 2, "an element of the array is missing"},
		{"[,{}]", 1, "an element of the array is missing"},
		{"[{}]\n[{}]", 2, "more text after the array's end"},
		{"[{\"a\":\"x\n\"}]", 1, "a line break inside a string"},
	};
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	char expected[200];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		put(cases[i].text, strlen(cases[i].text));
		assert_int_equal(collect(LINES_MAX_RECORD, &out, &err), -1);
		snprintf(expected, sizeof expected, "%s:%d: %s", path, cases[i].line,
			cases[i].message);
		assert_string_equal(err.text, expected);
		assert_int_equal(err.code, ERR_CORRUPT);
		buf_clear(&out);
	}
	buf_release(&out);
}

/* Of whatever part of an array, the records are the first of the whole, and the cut is noticed. */
static void notices_every_cut(void **state)
{
	static const char text[] = "[{\"a\":\"\\\"\"},\n [1,[2]], 3, \"x\"]";
	struct err err = ERR_INIT;
	struct buf whole = BUF_INIT, part = BUF_INIT;

	(void)state;
	put(text, sizeof text - 1);
	assert_int_equal(collect(LINES_MAX_RECORD, &whole, &err), 0);
	for (size_t n = 1; n < sizeof text - 1; n++) {
		put(text, n);
		assert_int_equal(collect(LINES_MAX_RECORD, &part, &err), -1);
		assert_int_equal(strncmp(whole.data, part.data, part.len), 0);
		buf_clear(&part);
	}
	buf_release(&whole);
	buf_release(&part);
}

/* Records around and far above the size of what is read at once. */
static void crosses_buffers(void **state)
{
	static const size_t sizes[] = {
		1, 262140, 5, 262143, 262144, 262145, 17, 3000000, 3, 524288, 200};
	struct err err = ERR_INIT;

	(void)state;
	for (int array = 0; array < 2; array++) {
		struct buf file = BUF_INIT, expected = BUF_INIT, out = BUF_INIT;

		buf_add_str(&file, array ? "[" : "");
		for (size_t i = 0; i < COUNT(sizes); i++) {
			size_t start = file.len + (array && i);

			buf_add_str(&file, array && i ? ",\"" : "\"");
			memset(buf_extend(&file, sizes[i]), 'a' + (int)i, sizes[i]);
			buf_add_str(&file, "\"");
			buf_add_fmt(&expected, "%zu:", i + 1);
			buf_add(&expected, file.data + start, file.len - start);
			buf_add_char(&expected, '|');
			buf_add_str(&file, "\n");
		}
		buf_add_str(&file, array ? "]" : "");
		put(file.data, file.len);
		assert_int_equal(collect(LINES_MAX_RECORD, &out, &err), 0);
		assert_int_equal(out.len, expected.len);
		assert_memory_equal(out.data, expected.data, out.len);
		buf_release(&file);
		buf_release(&expected);
		buf_release(&out);
	}
}

static void refuses_long_records(void **state)
{
	struct err err = ERR_INIT;
	struct buf file = BUF_INIT, out = BUF_INIT;

	(void)state;
	for (int array = 0; array < 2; array++)
		for (size_t n = 0; n < 1000000; n = 2 * n + 99) {
			bool fits = n + 2 <= 1000;

			buf_add_str(&file, array ? "[1,\n\"" : "1\n\"");
			memset(buf_extend(&file, n), 'x', n);
			buf_add_str(&file, array ? "\"]" : "\"\n");
			put(file.data, file.len);
			assert_int_equal(collect(1000, &out, &err), fits ? 0 : -1);
			assert_true(fits || err.code == ERR_LIMIT);
			assert_true(fits || strstr(err.text, ":2: a record of "));
			buf_clear(&file);
			buf_clear(&out);
		}
	buf_release(&file);
	buf_release(&out);
}

static void digests_all_bytes(void **state)
{
	static const char *const texts[] = {"{}\n{}\n\n ", " [{} , {}]\n\n", ""};
	struct err err = ERR_INIT;
	struct sha256 h, expected;
	struct lines_record r;
	uint8_t a[32], b[32];

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct lines *l;

		put(texts[i], strlen(texts[i]));
		sha256_init(&h);
		sha256_init(&expected);
		sha256_add(&expected, texts[i], strlen(texts[i]));
		l = lines_open(path, LINES_MAX_RECORD, &h, &err);
		assert_non_null(l);
		while (lines_next(l, &r, &err) == 1)
			;
		assert_int_equal(lines_next(l, &r, &err), 0);
		lines_close(l);
		sha256_finish(&h, a);
		sha256_finish(&expected, b);
		assert_memory_equal(a, b, sizeof a);
	}
}

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_records),
		cmocka_unit_test(reads_tables),
		cmocka_unit_test(reads_plain_lines),
		cmocka_unit_test(tells_blank_files),
		cmocka_unit_test(names_faults),
		cmocka_unit_test(notices_every_cut),
		cmocka_unit_test(crosses_buffers),
		cmocka_unit_test(refuses_long_records),
		cmocka_unit_test(digests_all_bytes),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
