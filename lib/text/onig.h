/*
 * The regular expressions of tokenizer.json are Oniguruma's, in Ruby's syntax. This writes one in
 * PCRE2's, so that it matches the same when compiled with PCRE2_UTF, PCRE2_UCP, PCRE2_MULTILINE and
 * "\n" as the newline. What differs and is translated: \s, \w, \b and \h; classes within classes,
 * and their intersection (&&);
 * (?m) is PCRE2's (?s), and an option set in mid-group reaches over the alternatives after it;
 * {n,m}+ repeats a repeat; \p{Name} is a script, not its extensions.
 *
 * Not done: under (?i), one character for several, as "ss" for U+00DF.
 *
 * Back references, \K, \X, \G, conditions, absent operators, callouts and extended syntax are
 * refused.
 */
#ifndef TEXT_ONIG_H
#define TEXT_ONIG_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Appends the translation of n bytes of valid UTF-8. 0, or -1 with what is not supported, and
 * where.
 */
int onig_translate(const char *regex, size_t n, struct buf *out, struct err *err);

#endif
