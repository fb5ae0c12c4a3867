/* lib/text: token ids to text, by each kind of decoder, whole and token by token. Wants are the library's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "io/lines.h"
#include "tests/unit/support/made.h"
#include "text/detokenizer.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void decode(
	const struct tokenizer *t, unsigned flags, const int32_t *ids, size_t n, struct buf *out)
{
	struct err err = ERR_INIT;
	struct detokenizer *d = detokenizer_new(t, flags, &err);

	assert_non_null(d);
	buf_clear(out);
	assert_int_equal(detokenizer_decode(d, ids, n, out, &err), 0);
	assert_int_equal(buf_check(out, &err), 0);
	detokenizer_free(d);
}

/* Token by token; after each, what came out and what is peeked at are the text of the tokens so far. */
static void expect_ids(
	const struct tokenizer *t, unsigned flags, const int32_t *ids, size_t n, const char *want)
{
	struct err err = ERR_INIT;
	struct detokenizer *d = detokenizer_new(t, flags, &err);
	struct buf text = BUF_INIT, whole = BUF_INIT;
	size_t certain;

	assert_non_null(d);
	for (int again = 0; again < 2; again++) {
		buf_clear(&text);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(detokenizer_put(d, ids[i], &text, &err), 0);
			certain = text.len;
			assert_int_equal(detokenizer_peek(d, &text, &err), 0);
			decode(t, flags, ids, i + 1, &whole);
			assert_int_equal(text.len, whole.len);
			assert_memory_equal(text.data, whole.data, text.len);
			text.len = certain;
		}
		assert_int_equal(detokenizer_end(d, &text, &err), 0);
		assert_int_equal(buf_check(&text, &err), 0);
		if (want && strcmp(text.data, want))
			fail_msg("'%s' instead of '%s'", text.data, want);
	}
	detokenizer_free(d);
	buf_release(&text);
	buf_release(&whole);
}

#define EXPECT(t, flags, want, ...)                                                                \
	expect_ids(t, flags, (const int32_t[]){__VA_ARGS__},                                       \
		COUNT(((const int32_t[]){__VA_ARGS__})), want)

#define SPECIAL "{'id':9,'content':'<s>','special':true,'normalized':false}"

static struct tokenizer *load(const char *decoder, const char *vocab)
{
	struct buf model = BUF_INIT;
	struct made p = {.added = SPECIAL, .decoder = decoder};
	struct tokenizer *t;

	buf_add_fmt(&model, "'vocab':{%s},'merges':[]", vocab);
	p.model = model.data;
	t = made_load(&p);
	buf_release(&model);
	return t;
}

static void none(void **state)
{
	struct tokenizer *t = load(NULL, "'a':0,'b':1");

	(void)state;
	EXPECT(t, DETOKENIZER_SPECIAL, "a b <s> a", 0, 1, 2, 0);
	EXPECT(t, 0, "a b a", 0, 1, 2, 0);
	EXPECT(t, 0, "b", 77, 1, -1); /* no such tokens */
	EXPECT(t, 0, "", 2);
	tokenizer_free(t);
}

static void byte_level(void **state)
{
	/* "\u00c3" is byte C3, "\u00a9" A9, "\u0120" a space, "\u0180" no byte: that token is text itself */
	struct tokenizer *t =
		load("{'type':'ByteLevel'}", "'\u0120a':0,'\u00c3':1,'\u00a9':2,'\u0180\u0120':3,'"
					     "\u00e2\u0124':4,'\u00ac':5,'\u00ff':6");

	(void)state;
	EXPECT(t, 0, " a\u00e9 a", 0, 1, 2, 0);
	EXPECT(t, 0, "\u0180\u0120", 3);
	EXPECT(t, 0, "\ufffd a\ufffd", 1, 0, 1);	/* cut off in the middle, and at the end */
	EXPECT(t, 0, "\ufffd\ufffd\u00e9", 2, 1, 1, 2); /* nothing begins with A9 */
	EXPECT(t, 0, "\ufffd\ufffd a", 4, 6,
		0); /* E2 82 is the beginning of one character, FF of none */
	EXPECT(t, 0, "\ufffd\u00e9", 4, 1, 2);
	tokenizer_free(t);
}

static void lossy(void **state)
{
	/* as Rust's String::from_utf8_lossy: one U+FFFD for the longest beginning of a character */
	static const struct {
		const char *bytes;
		size_t broken;
		bool open;
	} cases[] = {{"\x80", 1, false}, {"\xc0\x80", 1, false}, {"\xc2", 1, true},
		{"\xe0\x80", 1, false}, {"\xe0\xa0", 2, true}, {"\xe2\x82", 2, true},
		{"\xe2\x82z", 2, false}, {"\xed\xa0\x80", 1, false}, {"\xf0\x8f", 1, false},
		{"\xf0\x9f\x98", 3, true}, {"\xf0\x9f\xc3", 2, false}, {"\xf4\x90", 1, false},
		{"\xf5\x80", 1, false}, {"\xff", 1, false}};
	bool open;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(utf8_broken(cases[i].bytes, strlen(cases[i].bytes), &open),
			cases[i].broken);
		assert_int_equal(open, cases[i].open);
	}
}

#define LLAMA                                                                                      \
	"{'type':'Sequence','decoders':[{'type':'Replace','pattern':{'String':'_'},'content':' "   \
	"'},"                                                                                      \
	"{'type':'ByteFallback'},{'type':'Fuse'},{'type':'Strip','content':' "                     \
	"','start':1,'stop':0}]}"

static void byte_fallback(void **state)
{
	struct tokenizer *t = load(LLAMA,
		"'_a':0,'b':1,'<0xC3>':2,'<0xa9>':3,'<0x0A>':4,'<0xZZ>':5,'<0x+F>':6,'_':7,'__':8");

	(void)state;
	EXPECT(t, 0, "a ab", 0, 0, 1);
	EXPECT(t, 0, "b a", 1, 0);
	EXPECT(t, DETOKENIZER_SPECIAL, "<s> a", 9, 0);
	EXPECT(t, 0, "a", 9, 0);
	EXPECT(t, 0, "b\u00e9\n a", 1, 2, 3, 4, 0);
	EXPECT(t, 0, "b\ufffd\ufffd\ufffdb", 1, 4, 2, 4, 1); /* all of a run or nothing */
	EXPECT(t, 0, "<0xZZ>\x0f", 5, 6);
	EXPECT(t, 0, "  ", 7, 8); /* one space goes, not one of each token */
	EXPECT(t, 0, "", 7);
	tokenizer_free(t);
}

static void strips(void **state)
{
	struct tokenizer *t = load("{'type':'Strip','content':'_','start':2,'stop':1}",
		"'__a_':0,'___':1,'_':2,'b':3");

	(void)state;
	EXPECT(t, 0, "ab", 0, 3);
	EXPECT(t, 0, "b", 1, 2, 3);
	tokenizer_free(t);
	t = load("{'type':'Sequence','decoders':[{'type':'Fuse'},{'type':'Strip','content':'_','"
		 "start':2,'stop':2}]}",
		"'__a_':0,'___':1,'_':2,'b':3");
	EXPECT(t, 0, "_a_b", 2, 0, 3);
	EXPECT(t, 0, "a____b_____a", 0, 1, 3, 1, 0, 2);
	EXPECT(t, 0, "b__", 2, 3, 1, 2);
	EXPECT(t, 0, "", 2, 2, 2);
	tokenizer_free(t);
}

static void metaspace(void **state)
{
	struct tokenizer *t = load(
		"{'type':'Metaspace','replacement':'_','prepend_scheme':'first'}", "'_a':0,'b_':1");

	(void)state;
	EXPECT(t, 0, "ab  a", 0, 1, 0);
	EXPECT(t, 0, "b a", 1, 0);
	tokenizer_free(t);
	t = load("{'type':'Metaspace','replacement':'_','str_rep':'_','add_prefix_space':false}",
		"'_a':0,'b_':1");
	EXPECT(t, 0, " a a", 0, 0);
	tokenizer_free(t);
}

static void wordpiece(void **state)
{
	struct tokenizer *t = load("{'type':'WordPiece','prefix':'##','cleanup':true}",
		"'do':0,'##es':1,'n\\u0027t':2,'.':3,'not':4,'##':5,'a .':6,'\\u0027':7,'##s .':8");

	(void)state;
	EXPECT(t, 0, "doesn't.", 0, 1, 2, 3);
	EXPECT(t, 0, "do not", 0, 4); /* token by token: " do not" is not seen */
	EXPECT(t, 0, "## a.", 5, 5, 6);
	tokenizer_free(t);
}

static void others(void **state)
{
	struct tokenizer *t = load("{'type':'BPEDecoder','suffix':'$'}", "'a$':0,'b':1,'$c$':2");

	(void)state;
	EXPECT(t, 0, "a ba", 0, 1, 0);
	EXPECT(t, 0, " c a", 2, 0);
	EXPECT(t, 0, "c", 2);
	tokenizer_free(t);
	t = load("{'type':'CTC','pad_token':'-','word_delimiter_token':'|','cleanup':true}",
		"'a':0,'-':1,'|':2,'-b':3");
	EXPECT(t, 0, "aa bb", 0, 0, 1, 0, 2, 2, 3, 1, 3);
	tokenizer_free(t);
	t = load("{'type':'Sequence','decoders':[{'type':'Fuse'},{'type':'Replace','pattern':{'"
		 "Regex':'a+'},"
		 "'content':'<'}]}",
		"'a':0,'ba':1,'aa':2");
	EXPECT(t, 0, "<b<", 0, 0, 1, 2);
	tokenizer_free(t);
	t = load(
		"{'type':'Replace','pattern':{'Regex':'a+'},'content':'<'}", "'a':0,'ba':1,'aa':2");
	EXPECT(t, 0, "<<b<<", 0, 0, 1, 2);
	tokenizer_free(t);
}

/* A token that a normalizer changes is shown as it is found. */
static void normalized(void **state)
{
	struct made p = {.added = "{'id':9,'content':'<s>','special':true,'normalized':true},"
				  "{'id':9,'content':'<t>','special':false,'normalized':true}",
		.normalizer = "{'type':'Prepend','prepend':'_'}",
		.decoder = LLAMA,
		.config = "{'eos_token':'<s>'}",
		.model = "'vocab':{'a':0,'_a':1},'merges':[]"};
	struct tokenizer *t = made_load(&p);
	size_t n;

	(void)state;
	EXPECT(t, DETOKENIZER_SPECIAL, "a <s>a <t>", 1, 2, 0, 3);
	EXPECT(t, DETOKENIZER_SPECIAL, "<s>", 2);
	EXPECT(t, 0, "aa <t>", 1, 2, 0, 3);
	assert_string_equal(tokenizer_eos_text(t, &n), "<s>");
	assert_int_equal(n, 3);
	tokenizer_free(t);
}

static void refusals(void **state)
{
	static const struct {
		const char *decoder, *says;
	} cases[] = {{"{}", "a decoder without a type"},
		{"{'type':'Magic'}", "decoder 'Magic': not supported"},
		{"{'type':'Sequence'}", "decoders is no list"},
		{"{'type':'Sequence','decoders':[{'type':'Strip','content':'ab','start':0,'stop':0}"
		 "]}",
			"one character"},
		{"{'type':'Strip','content':'a','start':-1,'stop':0}", "start must be a number"},
		{"{'type':'WordPiece','prefix':'#'}", "cleanup must be true or false"},
		{"{'type':'BPEDecoder'}", "suffix must be a string"},
		{"{'type':'Replace','content':''}", "neither a String nor a Regex"}};
	struct made p = {.model = "'vocab':{'a':0},'merges':[]"};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tokenizer *t;

		p.decoder = cases[i].decoder;
		made_write(&p);
		t = tokenizer_load(made_folder(), &err);
		if (t || !strstr(err.text, cases[i].says))
			fail_msg("'%s' instead of '%s'", t ? "loaded" : err.text, cases[i].says);
	}
}

/* Real tokenizers that lose nothing: ids, made by the library, to the text that they were made of. */
static void there_and_back(void **state)
{
	static const char *const names[] = {"gpt2", "llama3", "starcoder"};
	struct buf got = BUF_INIT;
	struct err err = ERR_INIT;
	char path[128];

	(void)state;
	if (access("../shared/data/tokenizers", R_OK))
		skip();
	for (size_t i = 0; i < COUNT(names); i++) {
		struct lines_record line;
		struct tokenizer *t;
		struct lines *in;
		int rows = 0;

		snprintf(path, sizeof path, "../shared/data/tokenizers/%s", names[i]);
		t = tokenizer_load(path, &err);
		assert_non_null(t);
		snprintf(path, sizeof path, "../shared/data/tokenizers/vectors/%s.jsonl.gz",
			names[i]);
		in = lines_open(path, LINES_MAX_RECORD, NULL, &err);
		for (; lines_next(in, &line, &err) == 1; rows++) {
			struct json *row = json_parse(line.text, line.len, &err);
			size_t n, count = 0;
			const char *text = json_string(json_get(row, "text"), &n);
			int32_t *ids = calloc(json_count(json_get(row, "ids")) + 1, sizeof *ids);
			int64_t id;

			for (const struct json *v = json_first(json_get(row, "ids")); v;
				v = json_next(v))
				ids[count++] = json_int(v, &id) ? (int32_t)id : -1;
			decode(t, DETOKENIZER_SPECIAL, ids, count, &got);
			if (got.len != n || memcmp(got.data, text, n))
				fail_msg("%s, row %d: '%s' instead of '%s'", names[i], rows,
					got.data, text);
			if (count < 60)
				expect_ids(t, 0, ids, count, NULL);
			free(ids);
			json_free(row);
		}
		assert_int_equal(rows, 924);
		lines_close(in);
		tokenizer_free(t);
	}
	buf_release(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none),
		cmocka_unit_test(byte_level),
		cmocka_unit_test(lossy),
		cmocka_unit_test(byte_fallback),
		cmocka_unit_test(strips),
		cmocka_unit_test(metaspace),
		cmocka_unit_test(wordpiece),
		cmocka_unit_test(others),
		cmocka_unit_test(normalized),
		cmocka_unit_test(refusals),
		cmocka_unit_test(there_and_back),
	};

	return cmocka_run_group_tests_name("detokenizer", tests, made_open, made_close);
}
