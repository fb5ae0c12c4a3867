/*
 * The splitting patterns of GPT-2 and Llama 3 (and Qwen's, which differs in one number), written out
 * by hand: all of encoding is half again as fast as with the regular expressions. They agree but for
 * characters that only one of PCRE2 and utf8proc is new enough to know.
 */
#ifndef TEXT_SCAN_H
#define TEXT_SCAN_H

#include <stddef.h>

enum scan_rule {
	SCAN_NONE,
	SCAN_GPT2,
	SCAN_LLAMA3, /* numbers in groups of three */
	SCAN_QWEN,   /* digits one by one */
};

/* GPT-2's pattern, which the pre-tokenizer ByteLevel has built in. */
extern const char scan_gpt2_regex[];

/* Qwen's. */
extern const char scan_qwen_regex[];

/* The rule that does what this regular expression does, or SCAN_NONE. */
enum scan_rule scan_find(const char *regex, size_t n);

/*
 * Where the match that begins at text[at] ends, at < n; text is valid UTF-8. There is one at every
 * place: these patterns cover all text.
 */
size_t scan_next(enum scan_rule rule, const char *text, size_t n, size_t at);

#endif
