/* lib/text: text to token ids, with tokenizers made for each trap, and against the Hugging Face library's ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "io/file.h"
#include "io/lines.h"
#include "tests/unit/support/made.h"
#include "text/bpe.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* "1 2 3", or "error: ..." */
static char *encode(struct encoder *e, const char *text, size_t n, unsigned flags)
{
	struct err err = ERR_INIT;
	struct ids ids = IDS_INIT;
	struct buf out = BUF_INIT;

	if (encoder_encode(e, text, n, flags, &ids, &err))
		buf_add_fmt(&out, "error: %s", err.text);
	for (size_t i = 0; i < ids.n; i++)
		buf_add_fmt(&out, "%s%d", i ? " " : "", ids.v[i]);
	assert_int_equal(buf_check(&out, &err), 0);
	ids_release(&ids);
	return out.data;
}

static void expect_n(
	const struct tokenizer *t, const char *text, size_t n, unsigned flags, const char *want)
{
	struct err err = ERR_INIT;
	struct encoder *e = encoder_new(t, &err);

	for (int i = 0; i < 2; i++) { /* the second time from the cache */
		char *got = encode(e, text, n, flags);

		if (strcmp(got, want))
			fail_msg("'%s': %s instead of %s", text, got, want);
		free(got);
	}
	encoder_free(e);
}

static void expect(const struct tokenizer *t, const char *text, unsigned flags, const char *want)
{
	expect_n(t, text, strlen(text), flags, want);
}

#define TOKEN(id, content, flags) "{'id':" #id ",'content':'" content "'," flags "}"
#define PLAIN "'special':true,'normalized':false"
#define CHARS "'a':0,'b':1,'c':2,'d':3,'_':4,' ':5,'<':6,'>':7,'\\n':8"
#define LOWER "{'type':'Lowercase'}"
#define MARKS                                                                                      \
	"{'type':'Sequence','normalizers':[{'type':'Prepend','prepend':'_'},"                      \
	"{'type':'Replace','pattern':{'String':' '},'content':'_'}]}"
#define TEMPLATE                                                                                   \
	"{'type':'Sequence','processors':[{'type':'ByteLevel'},{'type':"                           \
	"'TemplateProcessing',"                                                                    \
	"'single':[{'SpecialToken':{'id':'<','type_id':0}},{'Sequence':{'id':'A'}"                 \
	"},"                                                                                       \
	"{'SpecialToken':{'id':'>'}}],'pair':[],'special_tokens':{'<':{'id':'<',"                  \
	"'ids':[6]},'>':{'ids':[7,7]}}}]}"

static void added_tokens(void **state)
{
	/* in the raw text the longest of those that begin leftmost; in the normalized text the last one */
	struct made p = {.added = TOKEN(9, "<a>", PLAIN) "," TOKEN(10, "<a>b", PLAIN) "," TOKEN(
				 11, "AB", PLAIN) "," TOKEN(12, "d",
				 PLAIN ",'lstrip':true,'rstrip':true") "," TOKEN(12, "CC",
				 "'normalized':true,'special':false"),
		.normalizer = LOWER,
		.model = "'vocab':{" CHARS "},'merges':[]"};
	struct tokenizer *t = made_load(&p);

	(void)state;
	expect(t, "<a>", 0, "9");
	expect(t, "<A>", 0, "6 0 7");
	expect(t, "a<a>b<a>c", 0, "0 10 9 2");
	expect(t, "ABab", 0, "11 0 1");
	expect(t, "CcC", 0, "12 2"); /* matched in the normalized text, by its normalized content */
	expect(t, "a \n\u00a0 d \n b", 0, "0 3 1");
	expect(t, "d", 0, "3"); /* an added token that the vocabulary has keeps its id */
	assert_int_equal(tokenizer_vocab(t), 13);
	assert_int_equal(tokenizer_id(t, "CC", 2), 12);
	assert_int_equal(tokenizer_id(t, "b", 1), 1);
	assert_int_equal(tokenizer_id(t, "x", 1), -1);
	assert_non_null(strstr(tokenizer_warning(t), "'d' gets the id 3, not 12"));
	tokenizer_free(t);
}

static void single_words(void **state)
{
	struct made p = {.added = TOKEN(9, "ab", PLAIN ",'single_word':true") "," TOKEN(
				 10, "b>", PLAIN) "," TOKEN(8, "\\n", PLAIN ",'rstrip':true"),
		.model = "'vocab':{" CHARS "},'merges':[]"};
	struct tokenizer *t = made_load(&p);

	(void)state;
	expect(t, "ab ab", 0, "9 5 9");
	expect(t, "cab>", 0, "2 0 1 7"); /* passed over whole: "b>" does not match either */
	expect(t, "ab_ b>", 0, "0 1 4 5 10");
	expect(t, "ab\u0301", 0, "0 1"); /* a mark is a word character; unknown, it vanishes */
	expect(t, "\n  a", 0, "8 0");
	expect(t, "\n \n", 0, "8 8");
	tokenizer_free(t);
}

/* The normalizer runs on each piece; Metaspace "first" only at the beginning of the text. */
static void pieces(void **state)
{
	struct made p = {.added = TOKEN(9, "<s>", PLAIN),
		.normalizer = MARKS,
		.model = "'vocab':{" CHARS "},'merges':[]"};
	struct tokenizer *t = made_load(&p);

	(void)state;
	expect(t, "a b<s>a<s> b", 0, "4 0 4 1 9 4 0 9 4 4 1");
	tokenizer_free(t);
	p.normalizer = NULL;
	p.pre_tokenizer =
		"{'type':'Metaspace','replacement':'_','prepend_scheme':'first','split':false}";
	t = made_load(&p);
	expect(t, "a b<s>a<s> b", 0, "4 0 4 1 9 0 9 4 1");
	expect(t, "<s>a", 0, "9 0");
	tokenizer_free(t);
}

static void templates(void **state)
{
	struct made p = {.post_processor = TEMPLATE, .model = "'vocab':{" CHARS "},'merges':[]"};
	struct tokenizer *t = made_load(&p);

	(void)state;
	expect(t, "ab", 0, "0 1");
	expect(t, "ab", ENCODE_SPECIAL, "6 0 1 7 7");
	expect(t, "", ENCODE_SPECIAL, "6 7 7");
	expect(t, "", 0, "");
	assert_int_equal(tokenizer_leading(t), 1);
	tokenizer_free(t);
}

static void configs(void **state)
{
	struct made p = {.post_processor = TEMPLATE, .model = "'vocab':{" CHARS "},'merges':[]"};
	struct err err = ERR_INIT;
	struct tokenizer *t;

	(void)state;
	p.config = "{'bos_token':'<','eos_token':{'content':'>'}}";
	t = made_load(&p);
	assert_int_equal(tokenizer_bos(t), 6);
	assert_int_equal(tokenizer_eos(t), 7);
	tokenizer_free(t);
	p.config = "{'bos_token':null,'eos_token':'nowhere','add_bos_token':false}";
	t = made_load(&p);
	assert_int_equal(tokenizer_bos(t), -1);
	assert_int_equal(tokenizer_eos(t), -1);
	expect(t, "a", ENCODE_SPECIAL, "6 0 7 7");
	tokenizer_free(t);
	p.config = "{'tokenizer_class':'LlamaTokenizer','bos_token':'<','eos_token':'>','add_bos_"
		   "token':false,'add_eos_token':true}";
	t = made_load(&p);
	expect(t, "a", ENCODE_SPECIAL, "0 7");
	tokenizer_free(t);
	p.config = "{'tokenizer_class':'LlamaTokenizer','add_bos_token':true}";
	made_write(&p);
	assert_null(tokenizer_load(made_folder(), &err));
	assert_non_null(strstr(err.text, "add_bos_token"));
}

/* ---- the model */

static void merging(void **state)
{
	/* bc before ab, by rank; then the leftmost; abcd has two splits, and only those of the list count */
	struct made p = {.model = "'vocab':{" CHARS
				  ",'ab':10,'bc':11,'abc':12,'abcd':13,'aa':14,'cd':15},'"
				  "merges':['b c','a b',['c','d'],'ab cd','a a']"};
	struct tokenizer *t = made_load(&p);

	(void)state;
	expect(t, "abcd", 0, "0 11 3");
	expect(t, "abd", 0, "10 3");
	expect(t, "abacd", 0, "10 0 15");
	expect(t, "aaaaa", 0, "14 14 0");
	expect(t, "abc", 0, "0 11"); /* "abc" is in the vocabulary, but no merge makes it */
	tokenizer_free(t);
	p.model = "'ignore_merges':true,'vocab':{" CHARS ",'ab':10,'abc':12},'merges':['a b']";
	t = made_load(&p);
	expect(t, "abc", 0, "12");
	expect(t, "abcd", 0, "10 2 3");
	tokenizer_free(t);
	p.model = "'continuing_subword_prefix':'##','end_of_word_suffix':'$','unk_token':'_','"
		  "vocab':{'a':0,'##b':1,'##c$':2,'ab':3,'_':4,'a$':5},'merges':['a ##b']";
	t = made_load(&p);
	expect(t, "abc", 0, "3 2");
	expect(t, "a", 0, "5");
	expect(t, "ba", 0, "4 4");
	tokenizer_free(t);
}

static void unknown(void **state)
{
	struct made p = {.model = "'vocab':{" CHARS "},'merges':[]"};
	struct tokenizer *t = made_load(&p);

	(void)state;
	expect(t, "axyb", 0, "0 1"); /* no unknown token: dropped */
	tokenizer_free(t);
	p.model = "'vocab':{" CHARS ",'ab':9},'merges':['a b']";
	t = made_load(&p);
	expect(t, "axb", 0, "9"); /* and what is left meets */
	tokenizer_free(t);
	p.model = "'unk_token':'_','vocab':{" CHARS "},'merges':[]";
	t = made_load(&p);
	expect(t, "axy\u00e9b", 0, "0 4 4 4 1");
	tokenizer_free(t);
	p.model = "'unk_token':'_','fuse_unk':true,'vocab':{" CHARS "},'merges':[]";
	t = made_load(&p);
	expect(t, "axy\u00e9bx", 0, "0 4 1 4");
	tokenizer_free(t);
	/* bytes only if the vocabulary has all of a character's; they do not part unknown ones that fuse */
	p.model = "'unk_token':'_','fuse_unk':true,'byte_fallback':true,'vocab':{" CHARS
		  ",'<0xC3>':20,'<0xA9>':21,'<0x78>':22},'merges':[]";
	t = made_load(&p);
	expect(t, "ax\u00e9b", 0, "0 22 20 21 1");
	expect(t, "\u00e8b", 0, "4 1");
	expect(t, "\u00e8\u00e9\u00e8b", 0, "20 21 4 1");
	tokenizer_free(t);
	p.model = "'unk_token':'nowhere','vocab':{" CHARS "},'merges':[]";
	t = made_load(&p);
	expect(t, "ab", 0, "0 1");
	expect(t, "x", 0,
		"error: 'x' is not in the vocabulary, nor is the unknown token 'nowhere'");
	tokenizer_free(t);
}

/* ---- other models. Wants are the library's. */

static void unigram(void **state)
{
	struct made p = {.type = "Unigram",
		.model = "'unk_id':0,'vocab':[['?',0],['a',-1],['b',-1],['ab',-1.5],['abc',-9],['c',-2],"
			 "['bc',-2.5],['xy',-90]]"};
	struct tokenizer *t = made_load(&p);

	(void)state;
	expect(t, "ab", 0, "3");
	expect(t, "abc", 0, "1 6"); /* as good as ab, c; the longer last token counts */
	expect(t, "a\u00e9\u00fcb", 0, "1 0 2");
	expect(t, "a?\u00fcb", 0, "1 0 2"); /* the unknown token itself fuses with what is unknown */
	expect(t, "xya", 0, "7 1");	   /* two unknown characters that are a token together */
	expect(t, "", 0, "");
	tokenizer_free(t);
	p.model = "'unk_id':0,'byte_fallback':true,'vocab':[['?',0],['a',-1],['<0xC3>',0],['<0xA9>',0],"
		  "['<0x78>',0]]";
	t = made_load(&p);
	expect(t, "a\u00e9a", 0, "1 2 3 1");
	expect(t, "\u00e9\u00fc", 0, "0"); /* fused first, and then not all bytes are there */
	expect(t, "x\u00e9", 0, "4 2 3");
	tokenizer_free(t);
	p.model = "'vocab':[['a',0]]";
	t = made_load(&p);
	expect(t, "aa", 0, "0 0");
	expect(t, "ab", 0, "error: 'b' is not in the vocabulary, which has no unknown token");
	tokenizer_free(t);
}

static void wordpieces(void **state)
{
	struct made p = {.type = "WordPiece",
		.model = "'max_input_chars_per_word':7,'continuing_subword_prefix':'##','unk_token':'[UNK]',"
			 "'vocab':{'[UNK]':0,'un':1,'##aff':2,'##able':3,'##':4,'u':5,'##\u00e9':6,'##a':7,"
			 "'\u4e00':8,'[CLS]':9,'[SEP]':10,'e':11,'.':12}",
		.pre_tokenizer = "{'type':'BertPreTokenizer'}",
		.normalizer = "{'type':'BertNormalizer','clean_text':true,'handle_chinese_chars':true,"
			      "'strip_accents':null,'lowercase':true}",
		.post_processor = "{'type':'BertProcessing','sep':['[SEP]',10],'cls':['[CLS]',9]}"};
	struct tokenizer *t = made_load(&p);

	(void)state;
	expect(t, "unaff", ENCODE_SPECIAL, "9 1 2 10");
	expect(t, "Unaff\u00e9", 0, "0"); /* the accent goes: "##e" is none */
	expect(t, "unaffab", 0, "0");
	expect(t, "unaaaaa", 0, "1 7 7 7 7 7");
	expect(t, "unaaaaaa", 0, "0"); /* one too long */
	expect(t, "\u00c9.\u4e00\u4e00\u200b\au\u2003u", 0, "11 12 8 8 5 5");
	expect(t, "[CLS]", 0, "0 0 0");
	tokenizer_free(t);
	p.normalizer = NULL;
	p.post_processor = "{'type':'RobertaProcessing','sep':['a',3],'cls':['b',1],'trim_offsets':true,"
			   "'add_prefix_space':true}";
	t = made_load(&p);
	expect(t, "un\u00e9 x", ENCODE_SPECIAL, "1 1 6 0 3");
	tokenizer_free(t);
	p = (struct made){.type = "WordLevel",
		.model = "'unk_token':'<unk>','vocab':{'a':3,'b c':4,'<unk>':0}",
		.pre_tokenizer = "{'type':'CharDelimiterSplit','delimiter':'|'}"};
	t = made_load(&p);
	expect(t, "a|b c||ab", 0, "3 4 0");
	tokenizer_free(t);
	p.model = "'unk_token':'<unk>','vocab':{'a':3}";
	p.pre_tokenizer = "{'type':'FixedLength','length':1}";
	t = made_load(&p);
	expect(t, "aa", 0, "3 3");
	expect(t, "ab", 0, "error: 'b' is not in the vocabulary, nor is the unknown token '<unk>'");
	tokenizer_free(t);
}

/* A file whose model has no type: by what it holds. */
static void untyped(void **state)
{
	static const struct {
		const char *model, *want;
	} cases[] = {{"{'vocab':{'a':1,'b':2,'ab':3},'merges':['a b']}", "3"},
		{"{'vocab':[['a',0],['b',0],['ab',-1]]}", "0 1"},
		{"{'vocab':{'a':1,'##b':2},'max_input_chars_per_word':9}", "1 2"},
		{"{'vocab':{'ab':5}}", "5"}};
	char text[200];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = ERR_INIT;
		struct tokenizer *t;

		snprintf(text, sizeof text, "{'model':%s}", cases[i].model);
		for (char *s = text; *s; s++)
			*s = *s == '\'' ? '"' : *s;
		made_file("tokenizer.json", text, strlen(text));
		t = tokenizer_load(made_folder(), &err);
		assert_non_null(t);
		expect(t, "ab", 0, cases[i].want);
		tokenizer_free(t);
	}
}

/* A byte-level vocabulary: all 256 characters in order, and a few merges. */
static void put_bytes(struct buf *out, const char *merges)
{
	char text[4];

	buf_add_str(out, "'vocab':{");
	for (int i = 0; i < 256; i++) {
		int n = utf8_encode(text, bpe_byte_character((unsigned char)i));

		buf_add_str(out, i ? ",'" : "'");
		if (i == '"' || i == '\'' || i == '\\')
			buf_add_fmt(out, "\\u%04x", (unsigned)i);
		else
			buf_add(out, text, (size_t)n);
		buf_add_fmt(out, "':%d", i);
	}
	buf_add_str(out, merges);
}

static void byte_level(void **state)
{
	struct buf model = BUF_INIT;
	struct made p = {
		.pre_tokenizer = "{'type':'ByteLevel','add_prefix_space':false,'use_regex':true}"};
	struct tokenizer *t;
	struct err err = ERR_INIT;
	struct encoder *e;
	char *got;

	(void)state;
	put_bytes(&model, ",'\u0120a':256,'\u00c3\u00a9':257},'merges':['\u0120 a','\u00c3 "
			  "\u00a9']");
	p.model = model.data;
	t = made_load(&p);
	expect(t, "a a\u00e9", 0, "97 256 257");
	expect(t, "  a", 0, "32 256"); /* \s+(?!\S) gives its last character back */
	expect_n(t, "\0a\0", 3, 0, "0 97 0");
	expect(t, "'s'S", 0, "39 115 39 83");
	e = encoder_new(t, &err);
	got = encode(e, "ab\xff", 3, 0);
	assert_string_equal(got, "error: byte 2 of the text is not valid UTF-8");
	free(got);
	encoder_free(e);
	assert_int_equal(strlen(tokenizer_sha256(t)), 64);
	assert_null(tokenizer_warning(t));
	tokenizer_free(t);
	buf_release(&model);
}

/* What BPE is by definition: the pair of lowest rank, leftmost first, until there is none. */
static size_t merge_naively(int32_t *ids, size_t n)
{
	/* ids 0 to 3 are a to d; 4 + 4 l + r is the pair of l and r; ranks are a permutation of the 16 pairs */
	for (;;) {
		uint32_t lowest = UINT32_MAX;
		size_t at = 0;

		for (size_t i = 0; i + 1 < n; i++) {
			uint32_t rank;

			if (ids[i] > 3 || ids[i + 1] > 3)
				continue;
			rank = (uint32_t)((4 * ids[i] + ids[i + 1]) * 7 % 16);
			if (rank < lowest) {
				lowest = rank;
				at = i;
			}
		}
		if (lowest == UINT32_MAX)
			return n;
		ids[at] = 4 + 4 * ids[at] + ids[at + 1];
		memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
		n--;
	}
}

static void long_words(void **state)
{
	struct buf model = BUF_INIT, text = BUF_INIT;
	struct made p = {0};
	struct tokenizer *t;
	struct err err = ERR_INIT;
	struct encoder *e;
	struct ids ids = IDS_INIT;
	int32_t want[3000];

	(void)state;
	buf_add_str(&model, "'vocab':{'a':0,'b':1,'c':2,'d':3");
	for (int i = 0; i < 16; i++)
		buf_add_fmt(&model, ",'%c%c':%d", 'a' + i / 4, 'a' + i % 4, 4 + i);
	buf_add_str(&model, "},'merges':[");
	for (int rank = 0; rank < 16; rank++)
		for (int i = 0; i < 16; i++)
			if (i * 7 % 16 == rank)
				buf_add_fmt(&model, "%s'%c %c'", rank ? "," : "", 'a' + i / 4,
					'a' + i % 4);
	buf_add_str(&model, "]");
	p.model = model.data;
	t = made_load(&p);
	e = encoder_new(t, &err);
	for (uint64_t seed = 0; seed < 300; seed++) {
		size_t n = seed < 250 ? (size_t)seed : 3000;

		buf_clear(&text);
		for (size_t i = 0; i < n; i++) {
			uint32_t bits[4];

			rng_bits(seed, 2, i, bits);
			want[i] = (int32_t)(bits[0] % 4);
			buf_add_char(&text, (char)('a' + want[i]));
		}
		ids.n = 0;
		assert_int_equal(buf_check(&text, &err), 0);
		assert_int_equal(encoder_encode(e, text.data, text.len, 0, &ids, &err), 0);
		assert_int_equal(ids.n, merge_naively(want, n));
		assert_memory_equal(ids.v, want, ids.n * sizeof *want);
	}
	/* and a million characters in one word are a matter of a moment */
	buf_clear(&text);
	for (int i = 0; i < 1000000; i++)
		buf_add_char(&text, (char)('a' + (i / 7 + i / 3 + i) % 4));
	ids.n = 0;
	assert_int_equal(encoder_encode(e, text.data, text.len, 0, &ids, &err), 0);
	assert_in_range(ids.n, 500000, 1000000);
	ids_release(&ids);
	encoder_free(e);
	tokenizer_free(t);
	buf_release(&model);
	buf_release(&text);
}

/* ---- files that are refused */

static void refusals(void **state)
{
	static const char model[] = "'vocab':{'a':0,'b':1,'ab':2},'merges':['a b']";
	static const struct {
		struct made parts;
		const char *says;
	} cases[] = {
		{{.model = "'merges':[]"}, "model: no vocab"},
		{{.model = "'vocab':{'a':0}"}, "merges is no list"},
		{{.model = "'vocab':{'a':0},'merges':{}"}, "merges is no list"},
		{{.model = "'vocab':{'a':-1},'merges':[]"}, "the id of 'a'"},
		{{.model = "'vocab':{'a':2147483647},'merges':[]"}, "the id of 'a'"},
		{{.model = "'vocab':{'a':1.5},'merges':[]"}, "the id of 'a'"},
		{{.model = "'vocab':{'a\\u0000':1},'merges':[]"}, "zero byte"},
		{{.model = "'vocab':{'a':0},'merges':['a']"}, "merge 0 is neither"},
		{{.model = "'vocab':{'a':0},'merges':['a b c']"}, "merge 0 is neither"},
		{{.model = "'vocab':{'a':0},'merges':[['a']]"}, "merge 0 is neither"},
		{{.model = "'vocab':{'a':0},'merges':['a b']"}, "'b' is not in the vocabulary"},
		{{.model = "'vocab':{'a':0,'b':1},'merges':['a b']"},
			"'ab' is not in the vocabulary"},
		{{.model = "'vocab':{'a':0,'b':1,'bb':2,'c':2097153},'merges':['b b']"}, "ids up to 2097153"},
		{{.model = "'dropout':0.1,'vocab':{},'merges':[]"}, "dropout"},
		{{.model = "'fuse_unk':3,'vocab':{},'merges':[]"}, "fuse_unk"},
		{{.model = "'unk_token':3,'vocab':{},'merges':[]"}, "unk_token"},
		{{.model = model, .normalizer = "{'type':'Precompiled'}"}, "no precompiled_charsmap"},
		{{.model = model,
			 .normalizer = "{'type':'Precompiled','precompiled_charsmap':'AA%A'}"},
			"byte 2 is not base64"},
		{{.model = model,
			 .normalizer = "{'type':'Precompiled','precompiled_charsmap':'AAAAA'}"},
			"base64 of 5 characters"},
		{{.model = model,
			 .normalizer = "{'type':'Precompiled','precompiled_charsmap':'CAAAAAAAAAA='}"},
			"a map of 8 bytes that is cut off"},
		{{.model = model, .normalizer = "{'type':'Magic'}"}, "normalizer 'Magic'"},
		{{.model = model, .normalizer = "{'type':'BertNormalizer','clean_text':true}"},
			"handle_chinese_chars"},
		{{.model = model, .normalizer = "{}"}, "without a type"},
		{{.model = model, .normalizer = "{'type':'Replace','content':''}"}, "pattern"},
		{{.model = model,
			 .normalizer = "{'type':'Replace','pattern':{'Regex':'('},'content':''}"},
			"normalizer 'Replace': '('"},
		{{.model = model, .pre_tokenizer = "{'type':'UnicodeScripts'}"},
			"pre_tokenizer 'UnicodeScripts'"},
		{{.model = model, .pre_tokenizer = "{'type':'Metaspace','replacement':'ab'}"},
			"one character"},
		{{.model = model,
			 .pre_tokenizer = "{'type':'Metaspace','replacement':'_','prepend_scheme':'"
					  "always','add_prefix_space':false}"},
			"disagree"},
		{{.model = model,
			 .pre_tokenizer =
				 "{'type':'Split','pattern':{'String':'a'},'behavior':'Joined'}"},
			"behavior 'Joined'"},
		{{.model = model, .post_processor = "{'type':'RobertaProcessing'}"},
			"post_processor 'RobertaProcessing': cls is not"},
		{{.model = model, .post_processor = "{'type':'Magic'}"}, "post_processor 'Magic'"},
		{{.model = model, .pre_tokenizer = "{'type':'FixedLength','length':0}"}, "from 1"},
		{{.model = model, .pre_tokenizer = "{'type':'CharDelimiterSplit','delimiter':'ab'}"},
			"one character"},
		{{.type = "Magic", .model = model}, "model 'Magic' is not supported"},
		{{.type = "Unigram", .model = model}, "vocab is no list"},
		{{.type = "Unigram", .model = "'vocab':[['a']]"}, "entry 0 of vocab"},
		{{.type = "Unigram", .model = "'vocab':[['a',0],['b',0,1]]"}, "entry 1 of vocab"},
		{{.type = "Unigram", .model = "'vocab':[['a',0]],'unk_id':1"}, "unk_id"},
		{{.type = "WordPiece", .model = "'vocab':[]"}, "model: no vocab"},
		{{.type = "WordLevel", .model = "'vocab':{'a':0},'unk_token':7"}, "unk_token"},
		{{.model = model, .post_processor = "{'type':'TemplateProcessing','single':[]}"},
			"without a sequence"},
		{{.model = model,
			 .post_processor = "{'type':'TemplateProcessing','single':[{'Sequence':{'"
					   "id':'B'}}]}"},
			"another sequence"},
		{{.model = model,
			 .post_processor = "{'type':'TemplateProcessing','single':[{'SpecialToken':"
					   "{'id':'x'}}]}"},
			"'x' is not among special_tokens"},
		{{.model = model, .added = "{'id':5}"}, "without content"},
		{{.model = model, .added = "{'id':5,'content':'x','lstrip':1}"}, "lstrip"},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tokenizer *t;

		made_write(&cases[i].parts);
		t = tokenizer_load(made_folder(), &err);
		if (t || !strstr(err.text, cases[i].says) || !strstr(err.text, "tokenizer.json"))
			fail_msg("'%s' instead of '%s'", t ? "loaded" : err.text, cases[i].says);
	}
	made_file("tokenizer.json", "{\"model\":", 9);
	assert_null(tokenizer_load(made_folder(), &err));
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_null(tokenizer_load("/nonexistent", &err));
}

/* ---- ids that the Hugging Face library made */

#define SHARED "../shared/data/tokenizers"

static void compare(const struct json *want, const struct ids *got, const char *what, uint64_t line)
{
	const struct json *v = json_first(want);
	int64_t id = -1;
	size_t i = 0;

	for (; v && i < got->n && json_int(v, &id) && id == got->v[i]; v = json_next(v))
		i++;
	if (v || i < got->n)
		fail_msg("%s:%llu: id %zu is %d instead of %lld", what, (unsigned long long)line, i,
			i < got->n ? got->v[i] : -1, (long long)id);
}

static void check_vectors(const struct tokenizer *t, const char *path)
{
	struct err err = ERR_INIT;
	struct encoder *e = encoder_new(t, &err);
	struct lines *in = lines_open(path, LINES_MAX_RECORD, NULL, &err);
	struct lines_record line;
	struct ids ids = IDS_INIT;
	int rc, rows = 0;

	assert_non_null(in);
	for (; (rc = lines_next(in, &line, &err)) == 1; rows++) {
		struct json *row = json_parse(line.text, line.len, &err);
		size_t n;
		const char *text = json_string(json_get(row, "text"), &n);

		for (unsigned special = 0; special < 2; special++) {
			ids.n = 0;
			if (encoder_encode(e, text, n, special, &ids, &err))
				fail_msg("%s:%llu: %s", path, (unsigned long long)line.line,
					err.text);
			compare(json_get(row, special ? "ids_special" : "ids"), &ids, path,
				line.line);
		}
		json_free(row);
	}
	assert_int_equal(rc, 0);
	assert_int_equal(rows, 924);
	lines_close(in);
	ids_release(&ids);
	encoder_free(e);
}

static void vectors(void **state)
{
	static const char *const names[][2] = {{"gpt2", "gpt2/tokenizer.json"},
		{"llama2", "llama2/tokenizer.json"}, {"llama3", "llama3/tokenizer.json"},
		{"qwen2.5", "qwen2.5/tokenizer.json"}, {"phi-3-mini", "phi-3-mini/tokenizer.json"},
		{"pythia", "pythia/tokenizer.json"}, {"starcoder", "starcoder/tokenizer.json"},
		{"t5-small", "t5-small/tokenizer.json"},
		{"small-llama3-like", "small/torchtune-tokenizer.json"},
		{"small-qwen2-like", "small/torchtune-tiny_bpe_tokenizer.json"}};
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	char path[128];

	(void)state;
	if (access(SHARED, R_OK))
		skip();
	snprintf(path, sizeof path, "%s/tokenizer_config.json", made_folder());
	unlink(path);
	for (size_t i = 0; i < COUNT(names); i++) {
		struct tokenizer *t;

		snprintf(path, sizeof path, "%s/%s", SHARED, names[i][1]);
		buf_clear(&text);
		assert_int_equal(file_read(path, 1 << 28, &text, &err), 0);
		made_file("tokenizer.json", text.data, text.len);
		t = tokenizer_load(made_folder(), &err);
		if (!t)
			fail_msg("%s", err.text);
		snprintf(path, sizeof path, "%s/vectors/%s.jsonl.gz", SHARED, names[i][0]);
		check_vectors(t, path);
		tokenizer_free(t);
	}
	buf_release(&text);
}

/* ---- folders without a tokenizer.json */

static void copy(const char *from, const char *name)
{
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	char path[160];

	snprintf(path, sizeof path, "%s/%s", SHARED, from);
	assert_int_equal(file_read(path, 1 << 28, &bytes, &err), 0);
	made_file(name, bytes.data, bytes.len);
	buf_release(&bytes);
}

static void vocab_and_merges(void **state)
{
	static const char vocab[] = "{\"a\":0,\"b\":1,\"ab\":2,\"\u0120ab\":3,\"\u0120\":4,\"c\":5,\"1\":6}",
			  merges[] = "#version: 0.2\na b\r\n\u0120 ab\n\n";
	struct err err = ERR_INIT;
	struct tokenizer *t;

	(void)state;
	made_clear();
	made_file("vocab.json", vocab, strlen(vocab));
	assert_null(tokenizer_load(made_folder(), &err));
	assert_non_null(strstr(err.text, "neither tokenizer.json, nor vocab.json and merges.txt"));
	made_file("merges.txt", merges, strlen(merges));
	t = tokenizer_load(made_folder(), &err);
	assert_non_null(t);
	expect(t, "ab ab<|endoftext|>c", 0, "2 3 7 5");
	assert_null(tokenizer_warning(t));
	tokenizer_free(t);
#define QWEN                                                                                        \
	"{\"tokenizer_class\":\"Qwen2Tokenizer\",\"eos_token\":\"<e>\",\"added_tokens_decoder\":{"            \
	"\"7\":{\"content\":\"<e>\",\"special\":true,\"rstrip\":true},\"8\":{\"content\":\"11\"}}}"
	made_file("tokenizer_config.json", QWEN, strlen(QWEN));
	t = tokenizer_load(made_folder(), &err);
	assert_non_null(t);
	expect(t, "ab11<e> 1", 0, "2 8 7 6");
	assert_int_equal(tokenizer_eos(t), 7);
	tokenizer_free(t);
	made_file("tokenizer_config.json", "{\"tokenizer_class\":\"Other\"}", 27);
	assert_null(tokenizer_load(made_folder(), &err));
	assert_non_null(strstr(err.text, "vocab.json: the class Other is not supported"));
	made_clear();
	if (access(SHARED, R_OK))
		skip();
	copy("gpt2/vocab.json", "vocab.json");
	copy("gpt2/merges.txt", "merges.txt");
	copy("gpt2/tokenizer_config.json", "tokenizer_config.json");
	t = tokenizer_load(made_folder(), &err);
	assert_non_null(t);
	check_vectors(t, SHARED "/vectors/gpt2.jsonl.gz");
	tokenizer_free(t);
	made_clear();
}

static void sentencepiece(void **state)
{
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	struct tokenizer *t;

	(void)state;
	made_clear();
	if (access(SHARED, R_OK))
		skip();
	copy("llama2/tokenizer.model", "tokenizer.model");
	copy("llama2/tokenizer_config.json", "tokenizer_config.json");
	t = tokenizer_load(made_folder(), &err);
	assert_non_null(t);
	check_vectors(t, SHARED "/vectors/llama2.jsonl.gz");
	tokenizer_free(t);
	made_clear();
	copy("small/torchtune-m.model", "tokenizer.model");
	t = tokenizer_load(made_folder(), &err);
	assert_non_null(t);
	/* what SentencePiece's own spm_encode makes of it */
	expect(t, "Suggest some ways to improve this page", 0, "200 88 58 58 601 125 138 7 8 12 553 69 164 175 46 107 411");
	expect(t, "\uff21\u2460  x ", 0, "87 435 12 479");
	tokenizer_free(t);
	/* cut anywhere: an error, or fewer pieces; never more */
	assert_int_equal(file_read(SHARED "/small/torchtune-m.model", 1 << 28, &bytes, &err), 0);
	for (size_t n = 0; n < bytes.len; n += n < 400 ? 1 : 3001) {
		made_file("tokenizer.model", bytes.data, n);
		t = tokenizer_load(made_folder(), &err);
		if (!t)
			assert_non_null(strstr(err.text, "tokenizer.model: "));
		tokenizer_free(t);
	}
	buf_release(&bytes);
	made_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(added_tokens),
		cmocka_unit_test(single_words),
		cmocka_unit_test(pieces),
		cmocka_unit_test(templates),
		cmocka_unit_test(configs),
		cmocka_unit_test(merging),
		cmocka_unit_test(unknown),
		cmocka_unit_test(unigram),
		cmocka_unit_test(wordpieces),
		cmocka_unit_test(untyped),
		cmocka_unit_test(byte_level),
		cmocka_unit_test(long_words),
		cmocka_unit_test(refusals),
		cmocka_unit_test(vectors),
		cmocka_unit_test(vocab_and_merges),
		cmocka_unit_test(sentencepiece),
	};

	return cmocka_run_group_tests_name("tokenizer", tests, made_open, made_close);
}
