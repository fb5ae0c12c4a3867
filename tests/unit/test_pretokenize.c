/* lib/text: regular expressions, pre-tokenizers and normalizers, each by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/rng.h"
#include "tests/unit/support/made.h"
#include "text/pretokenize.h"
#include "text/scan.h"
#include "text/uchar.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- regular expressions: what they split, as words with '|' between them */

static char *split(const struct pretokenize *t, const char *text, size_t n)
{
	struct pretokenize_work w = PRETOKENIZE_WORK_INIT;
	struct err err = ERR_INIT;
	struct matcher *m = matcher_new(&err);
	struct places places = {.at = {n ? uchar_size(*text) : 0}};
	const struct words *words = pretokenize_run(t, &w, m, &text, &n, &places, &err);
	struct buf out = BUF_INIT;

	if (!words)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < words->n; i++) {
		buf_add_str(&out, i ? "|" : "");
		buf_add(&out, text + words->v[i].at, words->v[i].n);
	}
	assert_int_equal(buf_check(&out, &err), 0);
	pretokenize_work_release(&w);
	matcher_free(m);
	return out.data;
}

/* Takes v. */
static struct pretokenize *load_pretokenizer(struct json *v)
{
	struct err err = ERR_INIT;
	struct pretokenize *t = pretokenize_new(v, &err);

	if (!t)
		fail_msg("%s", err.text);
	json_free(v);
	return t;
}

static struct pretokenize *load_regex(const char *regex, size_t n, const char *behavior)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	struct pretokenize *t;

	buf_add_str(&text, "{\"type\":\"Split\",\"pattern\":{\"Regex\":");
	json_quote(&text, regex, n);
	buf_add_fmt(&text, "},\"behavior\":\"%s\",\"invert\":false}", behavior);
	t = load_pretokenizer(json_parse(text.data, text.len, &err));
	buf_release(&text);
	return t;
}

static void expect_regex(const char *regex, const char *text, const char *want)
{
	struct pretokenize *t = load_regex(regex, strlen(regex), "Isolated");
	char *got = split(t, text, strlen(text));

	if (strcmp(got, want))
		fail_msg("%s on '%s': '%s' instead of '%s'", regex, text, got, want);
	free(got);
	pretokenize_free(t);
}

/* Each as Oniguruma 6.9 splits it. */
static void regex_syntax(void **state)
{
	(void)state;
	expect_regex("\\s",
		"a\xc2\x85"
		"b\u200bc",
		"a|\xc2\x85|b\u200bc");
	expect_regex("\\s", "a\u180eb\u3000", "a\u180eb|\u3000");
	expect_regex("\\w+", "e\u0301_1-\u00b2", "e\u0301_1|-|\u00b2");
	expect_regex("[\\w]+", "a\u00b2", "a|\u00b2");
	expect_regex("[^(\\s|[.,!])]+", "ab.c d (e", "ab|.|c| |d| (|e");
	expect_regex("[a-z&&[^aeiou]]+", "hello", "h|e|ll|o");
	expect_regex("[^a[b-d]]+", "xaby", "x|ab|y");
	expect_regex("[\\s\\S]", "a b", "a| |b");
	expect_regex("[^\\S\\n]+", "a \t\nb", "a| \t|\nb");
	expect_regex("[]a]", "]ab", "]|a|b");
	expect_regex("[a\\-c]", "a-bc", "a|-|b|c");
	expect_regex("(?m)a.", "a\nb", "a\n|b");
	expect_regex("^b", "a\nb", "a\n|b");
	expect_regex("a(?i)b|C", "aBacC", "aB|ac|C");
	expect_regex("(?i:'s)", "x'\u017fy", "x|'\u017f|y");
	expect_regex("\\p{N}{1,3}+", "12345", "12345");
	expect_regex("\\p{N}{2}?", "12345", "12|34|5");
	expect_regex("\\p{L}++|\\d*+", "ab12", "ab|12");
	expect_regex("\\p{^L}+|\\P{Lu}", "1a", "1|a");
	expect_regex("\\p{Han}+|\\p{Letter}", "\u4f60\u597dx", "\u4f60\u597d|x");
	expect_regex("\\bt", "at the", "at |t|he");
	expect_regex("\\h+|\\x{21}|\\u0022", "xfe!\"", "x|fe|!|\"");
	expect_regex("(?<n>a)(?#c)(?>b)(?=c)", "abc", "ab|c");
	expect_regex("\\R", "a\r\nb\u2028", "a|\r\n|b|\u2028");
	expect_regex("[[:punct:]&&[^$]]", "a$b!", "a$b|!");
	expect_regex("(?=[A-Z])", "aBcD", "a|Bc|D"); /* an empty match is where two words meet */
	expect_regex("", "ab", "a|b");
}

static void regex_refusals(void **state)
{
	static const char *const bad[] = {"(a)\\1", "\\k<n>", "\\Ka", "\\X", "\\G", "(?~a)",
		"(?x) a", "(*FAIL)", "\\xe3", "(", ")", "[", "[]", "[z-a]", "*", "a|*",
		"\\p{Nonsense}", "\\p{L", "\\", "(?<=a+)b", "(?(1)a)"};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct pattern *p = pattern_new_regex(bad[i], strlen(bad[i]), &err);

		if (p)
			fail_msg("%s was taken", bad[i]);
		assert_non_null(strstr(err.text, "'"));
	}
}

static void behaviors(void **state)
{
	static const char *const names[] = {
		"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
	static const char *const want[] = {"the|final|countdown", "the|-|final|-|-|countdown",
		"the-|final-|-|countdown", "the|-final|-|-countdown", "the|-|final|--|countdown"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct pretokenize *t = load_regex("-", 1, names[i]);
		char *got = split(t, "the-final--countdown", 20);

		assert_string_equal(got, want[i]);
		free(got);
		pretokenize_free(t);
	}
}

static void pretokenizers(void **state)
{
	static const struct {
		const char *json, *text, *want;
	} cases[] = {{"{'type':'Digits','individual_digits':true}", "a12\u00bd", "a|1|2|\u00bd"},
		{"{'type':'Digits','individual_digits':false}", "a12 3", "a|12| |3"},
		{"{'type':'Punctuation'}", "a$b!!", "a|$|b|!|!"},
		{"{'type':'Punctuation','behavior':'Contiguous'}", "a.!\u2e43", "a|.!|\u2e43"},
		{"{'type':'WhitespaceSplit'}", " a,b\u00a0c ", "a,b|c"},
		{"{'type':'Whitespace'}", "it's a\u00b2", "it|'|s|a|\u00b2"},
		{"{'type':'Split','pattern':{'String':' '},'behavior':'Isolated','invert':true}",
			"a b", "a| |b"},
		{"{'type':'Split','pattern':{'String':' '},'behavior':'Removed','invert':true}",
			"a b", " "},
		{"{'type':'Metaspace','replacement':'_'}", "a  b", "_a|_|_b"},
		{"{'type':'Metaspace','replacement':'_','prepend_scheme':'always'}", " a", "_a"},
		{"{'type':'Metaspace','replacement':'_','add_prefix_space':false}", "a b", "a|_b"},
		{"{'type':'Metaspace','replacement':'_','prepend_scheme':'never','split':false}",
			"a b", "a_b"},
		{"{'type':'Sequence','pretokenizers':[{'type':'WhitespaceSplit'},{'type':'"
		 "Metaspace','replacement':'_','prepend_scheme':'first'}]}",
			"ab cd", "_ab|cd"},
		{"{'type':'ByteLevel','add_prefix_space':true,'trim_offsets':true}", "Hey you\n",
			" Hey| you|\n"},
		{"{'type':'Sequence','pretokenizers':[{'type':'ByteLevel','add_prefix_space':false,"
		 "'use_regex':false},{'type':'Digits','individual_digits':true}]}",
			"a 1\n", "a\u0120|1|\u010a"},
		{"null", "a b", "a b"}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pretokenize *t = load_pretokenizer(made_json(cases[i].json));
		char *got = split(t, cases[i].text, strlen(cases[i].text));

		if (strcmp(got, cases[i].want))
			fail_msg("%s: '%s' instead of '%s'", cases[i].json, got, cases[i].want);
		free(got);
		pretokenize_free(t);
	}
}

/* Random text of pieces that matter to splitting, n of them. */
static void random_text(struct buf *out, uint64_t seed, int n)
{
	static const char *const pieces[] = {"a", "Z", "word", " ", "  ", "\n", "\r\n", "\t", "1",
		"234", "'", "'s", "'RE", "'l", "'ve", ".", "...", "-", "\u017f", "\u00e9",
		"e\u0301", "\u4f60", "\U0001f600", "\u00a0", "\u2003", "\u3000", "\xc2\x85",
		"\u200b", "\u00bd", "\u0663", "_", "\x01", "\u2581", "the", "don't"};
	uint32_t bits[4];

	buf_clear(out);
	for (int i = 0; i < n; i++) {
		rng_bits(seed, 1, (uint64_t)i, bits);
		if (bits[1] % 50 == 0)
			buf_add_char(out, '\0');
		buf_add_str(out, pieces[bits[0] % COUNT(pieces)]);
	}
}

/* The splitters written by hand against the expressions that they stand for. */
static void scanners(void **state)
{
	static const char *const regexes[] = {
		"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
		"?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
		"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
		"?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
		scan_gpt2_regex};
	static const enum scan_rule rules[] = {SCAN_LLAMA3, SCAN_QWEN, SCAN_GPT2};
	struct buf text = BUF_INIT, other = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(regexes); i++) {
		struct pretokenize *fast = load_regex(regexes[i], strlen(regexes[i]), "Isolated"),
				   *slow;

		assert_int_equal(scan_find(regexes[i], strlen(regexes[i])), rules[i]);
		buf_clear(&other);
		buf_add_fmt(&other, "(?:%s)", regexes[i]);
		assert_int_equal(scan_find(other.data, other.len), SCAN_NONE);
		slow = load_regex(other.data, other.len, "Isolated");
		for (uint64_t seed = 0; seed < 400; seed++) {
			char *got, *want;

			random_text(&text, seed, 1 + (int)(seed % 40));
			got = split(fast, text.data, text.len);
			want = split(slow, text.data, text.len);
			assert_string_equal(got, want);
			free(got);
			free(want);
		}
		pretokenize_free(fast);
		pretokenize_free(slow);
	}
	buf_release(&text);
	buf_release(&other);
}

/* ---- the normalizer, and places in what it rewrites */

static void expect_normal(
	const char *json, const char *text, const char *want, size_t place, size_t want_place)
{
	struct normalize_work w = NORMALIZE_WORK_INIT;
	struct err err = ERR_INIT;
	struct json *v = made_json(json);
	struct normalize *z = normalize_new(v, &err);
	struct matcher *m = matcher_new(&err);
	struct places places = {.at = {0, place}};
	const char *s = text;
	size_t n = strlen(text);

	if (!z || normalize_run(z, &w, m, &s, &n, &places, &err))
		fail_msg("%s: %s", json, err.text);
	if (n != strlen(want) || memcmp(s, want, n))
		fail_msg("%s on '%s': '%.*s' instead of '%s'", json, text, (int)n, s, want);
	if (places.at[1] != want_place)
		fail_msg("%s on '%s': place %zu instead of %zu", json, text, places.at[1],
			want_place);
	normalize_work_release(&w);
	matcher_free(m);
	normalize_free(z);
	json_free(v);
}

static void normalizers(void **state)
{
	(void)state;
	expect_normal("null", "aB", "aB", 1, 1);
	expect_normal("{'type':'Prepend','prepend':'__'}", "ab", "__ab", 1, 3);
	expect_normal("{'type':'Prepend','prepend':'__'}", "ab", "__ab", 0, 0);
	expect_normal("{'type':'Prepend','prepend':'_'}", "", "", 0, 0);
	expect_normal("{'type':'Replace','pattern':{'String':' '},'content':'__'}", " a b",
		"__a__b", 2, 3);
	expect_normal(
		"{'type':'Replace','pattern':{'Regex':' +'},'content':'_'}", "a   b", "a_b", 2, 1);
	expect_normal(
		"{'type':'Replace','pattern':{'Regex':' +'},'content':'_'}", "a   b", "a_b", 4, 2);
	expect_normal("{'type':'Lowercase'}", "A\u0130\u00c9", "ai\u0307\u00e9", 3, 4);
	expect_normal(
		"{'type':'Strip','strip_left':true,'strip_right':true}", " \u00a0a \n", "a", 4, 1);
	expect_normal("{'type':'Strip','strip_left':false,'strip_right':true}", " a ", " a", 3, 2);
	expect_normal("{'type':'NFC'}", "xe\u0301y", "x\u00e9y", 2, 1);
	expect_normal("{'type':'NFC'}", "xe\u0301y", "x\u00e9y", 4, 3);
	expect_normal("{'type':'NFC'}", "q\u0307\u0323", "q\u0323\u0307", 1, 1);
	expect_normal("{'type':'NFC'}", "\u1100\u1161\u11a8", "\uac01", 3, 0);
	expect_normal("{'type':'NFC'}", "\u212b", "\u00c5", 3, 2);
	expect_normal("{'type':'NFD'}", "\u00e9", "e\u0301", 2, 3);
	expect_normal("{'type':'NFKC'}", "\ufb01\u00b2", "fi2", 3, 2);
	expect_normal("{'type':'NFKD'}", "\uff21", "A", 0, 0);
	expect_normal("{'type':'NFKC'}", "\u32ff", "\u32ff", 3, 3); /* U+32FF is too new */
	expect_normal("{'type':'Sequence','normalizers':[{'type':'Prepend','prepend':' "
		      "'},{'type':'Sequence','normalizers':[]},{'type':'Replace','pattern':{'"
		      "String':' '},'content':'_'}]}",
		"a b", "_a_b", 3, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regex_syntax),
		cmocka_unit_test(regex_refusals),
		cmocka_unit_test(behaviors),
		cmocka_unit_test(pretokenizers),
		cmocka_unit_test(scanners),
		cmocka_unit_test(normalizers),
	};

	return cmocka_run_group_tests_name("pretokenize", tests, NULL, NULL);
}
