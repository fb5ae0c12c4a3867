/*
 * The pre-tokenizer of tokenizer.json: steps that split a piece of text into words. ByteLevel,
 * Split, Digits, Metaspace, Whitespace, WhitespaceSplit, Punctuation, BertPreTokenizer,
 * CharDelimiterSplit, FixedLength and Sequence; UnicodeScripts is refused.
 */
#ifndef TEXT_PRETOKENIZE_H
#define TEXT_PRETOKENIZE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "text/normalize.h"
#include "text/pattern.h"

struct pretokenize;

/*
 * From the value of "pre_tokenizer": NULL or null splits nothing. NULL with err set: malformed, or
 * not supported.
 */
struct pretokenize *pretokenize_new(const struct json *v, struct err *err);
void pretokenize_free(struct pretokenize *t);

/*
 * Whether ByteLevel comes last. The words are then still plain bytes, and each stands for the
 * characters of a byte-level vocabulary.
 */
bool pretokenize_is_byte_level(const struct pretokenize *t);

struct word {
	size_t at, n;
};

struct words {
	struct word *v;
	size_t n, cap;
};

/* Memory for one thread's work, reused from call to call, and the result of the last one. */
struct pretokenize_work {
	struct buf text[2];
	struct words words[2];
};

#define PRETOKENIZE_WORK_INIT                                                                      \
	{                                                                                          \
		.words = { {.v = NULL} }                                                           \
	}

void pretokenize_work_release(struct pretokenize_work *w);

/*
 * Splits *n > 0 bytes of valid UTF-8 at *text, which then are what the words are part of: in
 * w, or still the text. places follow, and places->at[0] also tells where the text begins:
 * Metaspace's scheme "first" counts what comes before it as the beginning. NULL with err set.
 */
const struct words *pretokenize_run(const struct pretokenize *t, struct pretokenize_work *w,
	struct matcher *m, const char **text, size_t *n, struct places *places, struct err *err);

#endif
