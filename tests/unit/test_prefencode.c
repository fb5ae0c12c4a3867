/* lib/text: text records to token records: the boundary, EOS, limits; by the rules of others too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "tests/unit/support/made.h"
#include "text/compat.h"
#include "text/prefencode.h"

#define PLAIN "'special':true,'normalized':false"
#define MARKS                                                                                      \
	"{'type':'Sequence','normalizers':[{'type':'Prepend','prepend':'_'},"                      \
	"{'type':'Replace','pattern':{'String':' '},'content':'_'}]}"

/* ---- records */

static const struct made record_parts = {
	.added = "{'id':20,'content':'<s>'," PLAIN "},{'id':21,'content':'</s>'," PLAIN "}",
	.normalizer = MARKS,
	.post_processor = "{'type':'TemplateProcessing','single':[{'SpecialToken':{'id':'<s>'}},{'"
			  "Sequence':{'id':'A'}}],'special_tokens':{'<s>':{'ids':[20]}}}",
	.model = "'vocab':{'a':0,'b':1,'c':2,'_':3,'_a':4,'_b':5,'_c':6,'ab':7,'bc':8,'<s>':20,'</"
		 "s>':21},'merges':['_ a','_ b','_ c','b c','a b']",
	.config = "{'bos_token':'<s>','eos_token':'</s>'}"};

static const struct made *parts = &record_parts;

/* Appends text; what stands between [ and ] is plain. */
static void add_text(struct buf *text, struct buf *plain, const char *s)
{
	for (char inside = 0; *s; s++) {
		if (*s == '[' || *s == ']') {
			inside = *s == '[';
			continue;
		}
		buf_add_char(text, *s);
		buf_add_char(plain, inside);
	}
}

/* Texts of prompt and completions up to NULL; "prompt | completion (skip) -cut-cut | ..." */
static char *encode_record(
	const struct prefencode_rules *rules, struct prefencode_ledger *ledger, ...)
{
	struct err err = ERR_INIT;
	struct tokenizer *t = made_load(parts);
	struct prefencode *p = prefencode_new(t, rules, &err);
	struct buf text = BUF_INIT, plain = BUF_INIT, out = BUF_INIT;
	struct pref_rec in = {.id = 7}, made;
	int64_t seg[8] = {0};
	const char *s;
	va_list ap;
	int rc;

	assert_non_null(p);
	va_start(ap, ledger);
	for (in.k = -1; (s = va_arg(ap, const char *)); in.k++) {
		add_text(&text, &plain, s);
		seg[in.k + 2] = (int64_t)text.len;
	}
	va_end(ap);
	in.seg = seg;
	in.text = text.data;
	in.plain = (const uint8_t *)plain.data;
	*ledger = (struct prefencode_ledger){0};
	rc = prefencode_record(p, &in, &made, ledger, &err);
	if (rc < 0)
		buf_add_fmt(&out, "error: %s", err.text);
	if (rc == 0)
		buf_add_str(&out, "dropped");
	for (int i = 0; rc == 1 && i <= in.k; i++) {
		buf_add_str(&out, i ? " |" : "");
		for (int64_t j = made.seg[i]; j < made.seg[i + 1]; j++)
			buf_add_fmt(&out, "%s%d", i || j ? " " : "", made.tokens[j]);
		if (i && made.skip[i - 1])
			buf_add_fmt(&out, " (%d)", made.skip[i - 1]);
		if (i && (made.cut[2 * i - 2] || made.cut[2 * i - 1]))
			buf_add_fmt(&out, " -%d-%d", made.cut[2 * i - 2], made.cut[2 * i - 1]);
	}
	assert_int_equal(buf_check(&out, &err), 0);
	buf_release(&text);
	buf_release(&plain);
	prefencode_free(p);
	tokenizer_free(t);
	return out.data;
}

#define RECORD(want, rules, ledger, ...)                                                           \
	do {                                                                                       \
		char *got = encode_record(rules, ledger, __VA_ARGS__, NULL);                       \
		assert_string_equal(got, want);                                                    \
		free(got);                                                                         \
	} while (0)

static void boundary(void **state)
{
	struct prefencode_rules rules = {0};
	struct prefencode_ledger l;

	(void)state;
	RECORD("20 4 | 5 21 | 6 21", &rules, &l, "a", " b", " c");
	assert_int_equal(l.kept, 1);
	assert_int_equal(l.merged, 0);
	/* a prompt that ends in a space: its last token is made with the completion's first letter */
	RECORD("20 4 | 5 21 | 6 21", &rules, &l, "a ", "b", "c");
	assert_int_equal(l.merged, 1);
	/* "b" alone is a token of the prompt, but not before "c" */
	RECORD("20 4 | 8 21 | 1 0 21 (1)", &rules, &l, "ab", "c", "a");
	assert_int_equal(l.merged, 1);
	RECORD("20 4 1 | 0 21", &rules, &l, "ab", "a");
	assert_int_equal(l.merged, 0);
	/* completions begin alike: the prompt ends at its end all the same */
	RECORD("20 4 | 5 6 21 | 5 4 21", &rules, &l, "a", " b c", " b a");
	RECORD("20 | 4 21", &rules, &l, "", "a");
	RECORD("20 4 | 5 21 | 5 21", &rules, &l, "a", " b", " b");
	assert_int_equal(l.identical, 1);
	RECORD("20 20 4 | 5 21", &rules, &l, "<s>a", " b");
	assert_int_equal(l.bos_twice, 1);
	RECORD("dropped", &(struct prefencode_rules){.eos = PREFENCODE_NEVER}, &l, "a", "", " b");
	assert_int_equal(l.empty, 1);
	RECORD("20 4 | 21", &rules, &l, "a", "");
}

static void eos_rules(void **state)
{
	struct prefencode_ledger l;

	(void)state;
	RECORD("20 4 | 5 21", &(struct prefencode_rules){0}, &l, "a", " b</s>");
	RECORD("20 4 | 5", &(struct prefencode_rules){.eos = PREFENCODE_NEVER}, &l, "a", " b");
	RECORD("4 | 5", &(struct prefencode_rules){.rendered = true}, &l, "a", " b");
	RECORD("4 | 5 21", &(struct prefencode_rules){.rendered = true, .eos = PREFENCODE_ALWAYS},
		&l, "a", " b");
	RECORD("20 4 | 5 21", &(struct prefencode_rules){.rendered = true}, &l, "<s>a", " b</s>");
	/* an empty prompt without BOS: nothing comes before the first token, so that one is not enough */
	RECORD("dropped", &(struct prefencode_rules){.rendered = true}, &l, "", "a");
	RECORD(" | 4 5", &(struct prefencode_rules){.rendered = true}, &l, "", "a b");
}

static void truncation(void **state)
{
	struct prefencode_rules end = {.max_length = 6}, start = end, drop = end, error = end,
				prompt = {.max_prompt = 3};
	struct prefencode_ledger l;

	(void)state;
	start.truncate = PREFENCODE_KEEP_START;
	drop.truncate = PREFENCODE_DROP;
	error.truncate = PREFENCODE_ERROR;
	/* prompt 20 4 5 6, completions of 2 and 3 */
	RECORD("20 5 6 | 4 21 -1-0 | 5 6 21 -1-0", &end, &l, "a b c", " a", " b c");
	assert_int_equal(l.truncated, 1);
	assert_int_equal(l.cut_prompt, 1);
	assert_int_equal(l.eos_lost, 0);
	RECORD("20 4 5 6 | 4 21 | 5 6 -0-1", &start, &l, "a b c", " a", " b c");
	assert_int_equal(l.eos_lost, 1);
	assert_int_equal(l.cut_completion, 1);
	RECORD("dropped", &drop, &l, "a b c", " a", " b c");
	assert_int_equal(l.too_long, 1);
	RECORD("error: prompt and completion have 7 tokens, the most is 6", &error, &l, "a b c",
		" a", " b c");
	/* a completion that is too long by itself: BOS and one token of the prompt stay */
	RECORD("20 6 | 4 4 4 4 -2-3 | 5 21 -2-0", &end, &l, "a b c", " a a a a a a", " b");
	assert_int_equal(l.eos_lost, 1);
	RECORD("dropped", &start, &l, "a b c a b", " a", " b");
	RECORD("20 5 6 | 4 21 -1-0", &prompt, &l, "a b c", " a");
	prompt.truncate = PREFENCODE_ERROR;
	RECORD("error: the prompt has 4 tokens, the most is 3", &prompt, &l, "a b c", " a");
	/* exactly at the limit */
	RECORD("20 4 5 6 | 4 21", &error, &l, "a b c", " a");
}

/* Tokens that the vocabulary spells too; the second one is found in normalized text. */
static void plain_text(void **state)
{
	struct prefencode_rules rules = {.rendered = true};
	struct made p = record_parts;
	struct prefencode_ledger l;

	(void)state;
	p.added = "{'id':20,'content':'<s>'," PLAIN "},{'id':21,'content':'</s>'," PLAIN
		  "},{'id':11,'content':'cab'," PLAIN
		  "},{'id':12,'content':'bab','special':true,'normalized':true},"
		  "{'id':13,'content':'ca','special':false,'normalized':false}";
	parts = &p;
	RECORD("4 11 4 | 11 | 5 12", &rules, &l, "acaba", "cab", " b bab");
	assert_int_equal(l.plain, 0);
	/* a text as it would be without the token: merged across where it begins and ends */
	RECORD("4 2 7 0 | 11 | 5 5 7", &rules, &l, "a[cab]a", "cab", " b [bab]");
	assert_int_equal(l.plain, 1);
	/* one plain byte is enough, and the tokens around are found; 'c[ab]' has 'ca' neither */
	RECORD("11 6 7 11 | 4 12 5 7 12", &rules, &l, "cabc[a]bcab", "a bab [bab] bab");
	/* the shorter token before a plain byte */
	RECORD("13 5 | 0", &rules, &l, "ca[b]", "a");
	parts = &record_parts;
}

#define COMPAT(name) .compat = compat_at(name)
enum { TRL, TRL_028, DPO_PAPER, LLAMA_FACTORY, OPENRLHF };

static void trl(void **state)
{
	struct prefencode_rules start = {COMPAT(TRL), .truncate = PREFENCODE_KEEP_START},
				end = {COMPAT(TRL)}, chat = start;
	struct prefencode_ledger l;

	(void)state;
	RECORD("20 4 | 5 21 | 6 21", &start, &l, "a", " b", " c");
	assert_int_equal(l.merged, 0);
	/* the prompt alone has a token more than before a completion: the completion is lost */
	RECORD("20 4 3 | 21 | 21", &start, &l, "a ", "b", "c");
	assert_int_equal(l.merged, 1);
	assert_int_equal(l.identical, 1);
	/* or twice there */
	RECORD("20 4 1 | 0 21 | 8 21", &start, &l, "ab", "a", "bc");
	RECORD("20 4 | 5 21 | 21", &start, &l, "a", " b</s>", "");
	/* EOS is text: not seen behind a space */
	RECORD("20 4 | 5 21 3 3 21", &start, &l, "a", " b</s> ");
	start.max_length = end.max_length = 4;
	RECORD("20 4 | 5 21 | 5 6 -0-1", &start, &l, "a", " b", " b c");
	assert_int_equal(l.eos_lost, 1);
	RECORD("20 4 5 | 6 -0-1", &start, &l, "a b", " c");
	RECORD("dropped", &start, &l, "a b c", " a");
	assert_int_equal(l.too_long, 1);
	/* each by itself: of the prompt, one has lost the first token, the other the first two */
	RECORD(" | 4 5 6 21 (1) -1-0 | 5 6 5 21 -2-0", &end, &l, "a", " b c", " b c b");
	assert_int_equal(l.cut_prompt, 2);
	assert_int_equal(l.eos_lost, 0);
	RECORD(" | 6 5 4 21 -2-1", &end, &l, "a", " b c b a");
	chat.rendered = true;
	RECORD("4 | 5 | 6", &chat, &l, "a", " b", " c");
	RECORD("dropped", &chat, &l, "a ", "b");
	assert_int_equal(l.empty, 1);
}

static void trl_028(void **state)
{
	struct prefencode_rules end = {COMPAT(TRL_028)}, start = end, chat = end;
	struct prefencode_ledger l;

	(void)state;
	start.truncate = PREFENCODE_KEEP_START;
	/* each by itself: the completion gets the mark that a text begins with, and there is no BOS */
	RECORD("4 3 | 5 21 | 3 5 21", &end, &l, "a ", "b", " b");
	assert_int_equal(l.merged, 0);
	RECORD("4 | 5 21 21 | 21", &end, &l, "a", "b</s>", "");
	end.max_prompt = start.max_prompt = 2;
	RECORD("5 6 | 5 21 -1-0", &end, &l, "a b c", "b");
	end.max_length = start.max_length = 3;
	RECORD(" | 6 5 21 (1) -2-0 | 5 6 21 -3-0", &end, &l, "a b c", "b", "b c");
	RECORD("5 6 | 5 -1-1 | 5 -1-2", &start, &l, "a b c", "b", "b c");
	assert_int_equal(l.eos_lost, 2);
	start.max_length = 2;
	RECORD("dropped", &start, &l, "a b c", "b");
	assert_int_equal(l.too_long, 1);
	chat.rendered = true;
	RECORD("4 | 5", &chat, &l, "a", "b");
	RECORD("dropped", &chat, &l, "a", "");
	chat.eos = PREFENCODE_ALWAYS;
	RECORD("4 | 5 21", &chat, &l, "a", "b");
}

static void dpo_paper(void **state)
{
	struct prefencode_rules end = {COMPAT(DPO_PAPER), .max_length = 5, .max_prompt = 2},
				start = end;
	struct prefencode_ledger l;

	(void)state;
	start.truncate = PREFENCODE_KEEP_START;
	RECORD("4 5 6 | 5 21 | 21", &end, &l, "a b c", "b", "");
	/* the longest decides for all */
	RECORD("5 6 | 5 21 -1-0 | 4 5 21 -1-0", &end, &l, "a b c", "b", "a b");
	RECORD("4 5 | 5 21 -1-0 | 4 5 21 -1-0", &start, &l, "a b c", "b", "a b");
	RECORD("5 6 | 4 4 4 -1-2 | 5 21 -1-0", &end, &l, "a b c", "a a a a", "b");
	assert_int_equal(l.eos_lost, 1);
	/* a prompt shorter than its most: completions are cut to 3 all the same, though 4 would fit */
	RECORD("4 | 4 4 4 -0-2", &end, &l, "a", "a a a a");
	RECORD("error: the prompt holds EOS, which dpo-paper refuses", &end, &l, "a</s>", "b");
	RECORD("error: completion 2 holds EOS, which dpo-paper refuses", &end, &l, "a", "b",
		"b</s>");
}

static void llama_factory(void **state)
{
	struct prefencode_rules rules = {COMPAT(LLAMA_FACTORY), .max_length = 7};
	struct prefencode_ledger l;

	(void)state;
	/* short completions: the prompt's end is cut, which they answer */
	RECORD("4 5 6 4 | 5 21 -2-0 | 5 4 21 -2-0", &rules, &l, "a b c a b c", "b", "b a");
	/* a short prompt: the completions */
	RECORD("4 5 6 | 5 4 5 4 -0-2 | 5 21", &rules, &l, "a b c", "b a b a b", "b");
	assert_int_equal(l.eos_lost, 1);
	/* both: of 5 and 5, int(7 * 0.5) = 3 */
	RECORD("4 5 6 4 | 5 4 5 -1-2 | 21 -1-0", &rules, &l, "a b c a b", "b a b a", "");
	rules.eos = PREFENCODE_NEVER;
	RECORD("4 | 5", &rules, &l, "a", "b");
	RECORD("dropped", &rules, &l, "a", "");
	assert_int_equal(l.empty, 1);
}

static void openrlhf(void **state)
{
	struct prefencode_rules rules = {COMPAT(OPENRLHF), .max_length = 6};
	struct prefencode_ledger l;

	(void)state;
	/* a space before EOS is a token of its own */
	RECORD("4 | 5 3 21 | 3 21", &rules, &l, "a", " b", "");
	RECORD("4 | 5 21", &rules, &l, "a", " b</s>");
	RECORD("4 | 5 3 21", &rules, &l, "a", " b\n\n");
	/* the prompt's length by itself: 'b' is in the prompt unseen */
	RECORD("4 | 5 3 21 (1) | 6 3 21 (1)", &rules, &l, "a ", "b", "c");
	assert_int_equal(l.merged, 1);
	/* EOS takes the place of the last token within the limit */
	RECORD("4 | 5 6 5 6 21 -0-2", &rules, &l, "a", " b c b c b");
	assert_int_equal(l.eos_lost, 0);
	RECORD("4 5 6 | 4 3 21", &rules, &l, "a b c", " a");
	RECORD("dropped", &rules, &l, "a b c a", " a");
	assert_int_equal(l.too_long, 1);
}

static void no_eos(void **state)
{
	struct made p = record_parts;
	struct prefencode_rules rules = {0};
	struct err err = ERR_INIT;
	struct prefencode *e;
	struct tokenizer *t;

	(void)state;
	p.config = NULL;
	t = made_load(&p);
	assert_null(prefencode_new(t, &rules, &err));
	assert_non_null(strstr(err.text, "EOS"));
	rules.eos = PREFENCODE_NEVER;
	e = prefencode_new(t, &rules, &err);
	assert_non_null(e);
	prefencode_free(e);
	rules.compat = compat_at(OPENRLHF);
	assert_null(prefencode_new(t, &rules, &err));
	assert_non_null(strstr(err.text, "openrlhf"));
	tokenizer_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boundary),
		cmocka_unit_test(eos_rules),
		cmocka_unit_test(truncation),
		cmocka_unit_test(plain_text),
		cmocka_unit_test(trl),
		cmocka_unit_test(trl_028),
		cmocka_unit_test(dpo_paper),
		cmocka_unit_test(llama_factory),
		cmocka_unit_test(openrlhf),
		cmocka_unit_test(no_eos),
	};

	return cmocka_run_group_tests_name("prefencode", tests, made_open, made_close);
}
