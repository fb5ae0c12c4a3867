/* UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes the code point at s, of which n > 0 bytes are left. Returns its length in bytes, 1 to 4,
 * or 0 where s does not start with a valid one (*cp is then U+FFFD).
 */
int utf8_decode(const char *s, size_t n, uint32_t *cp);

/* Writes cp (a valid code point) to s, at most 4 bytes; returns how many. */
int utf8_encode(char *s, uint32_t cp);

/* The offset of the first byte that is not valid UTF-8; n where all are. */
size_t utf8_valid_prefix(const char *s, size_t n);

/*
 * How many of the n > 0 bytes at s, which do not begin with a valid character, one U+FFFD stands for: the
 * most that a valid one could begin with, at least 1. *open: more bytes could make it valid.
 */
size_t utf8_broken(const char *s, size_t n, bool *open);

#endif
