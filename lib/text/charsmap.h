/*
 * SentencePiece's precompiled map of characters: a table from strings to what replaces them, as "Precompiled"
 * in tokenizer.json and precompiled_charsmap in tokenizer.model have it. It holds a number of bytes, a double
 * array of that size (Darts: 32-bit units, low byte first), and the replacements, each with a zero byte.
 */
#ifndef TEXT_CHARSMAP_H
#define TEXT_CHARSMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct charsmap;

/* From its n bytes, which are copied; or from n characters of base64. ERR_CORRUPT where they are none. */
struct charsmap *charsmap_new(const void *bytes, size_t n, struct err *err);
struct charsmap *charsmap_new_base64(const char *text, size_t n, struct err *err);
void charsmap_free(struct charsmap *c);

/* Is it an ASCII character that stays where no mark follows? */
bool charsmap_keeps(const struct charsmap *c, char byte);

/*
 * What replaces the n bytes at s, *made bytes of valid UTF-8; NULL where they stay. As the Hugging Face library
 * does, that is what the table has for the shortest beginning of s that it knows.
 */
const char *charsmap_find(const struct charsmap *c, const char *s, size_t n, size_t *made);

#endif
