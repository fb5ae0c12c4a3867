/*
 * What kind of character a code point is, as the Hugging Face library's parts see it. They do not
 * all see the same: white space is Unicode's White_Space everywhere, a word character is the one of
 * Rust's regex, and punctuation is that of Unicode 8. Letters and numbers are those of the utf8proc
 * installed.
 */
#ifndef TEXT_UCHAR_H
#define TEXT_UCHAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum uchar_kind { UCHAR_OTHER, UCHAR_LETTER, UCHAR_NUMBER, UCHAR_SPACE };

extern const uint8_t uchar_ascii[128]; /* the uchar_kind of each ASCII character */

enum uchar_kind uchar_kind(uint32_t cp);

bool uchar_is_space(uint32_t cp);
bool uchar_is_word(uint32_t cp);	/* \w: letters, marks, digits, connectors */
bool uchar_is_numeric(uint32_t cp);	/* category N */
bool uchar_is_punctuation(uint32_t cp); /* ASCII's punctuation and symbols, and category P */

/* The code point at s, which is valid UTF-8; *s moves behind it. */
static inline uint32_t uchar_next(const char **s)
{
	const unsigned char *u = (const unsigned char *)*s;

	if (u[0] < 0x80) {
		*s += 1;
		return u[0];
	}
	if (u[0] < 0xe0) {
		*s += 2;
		return (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
	}
	if (u[0] < 0xf0) {
		*s += 3;
		return (u[0] & 0xfu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
	}
	*s += 4;
	return (u[0] & 7u) << 18 | (u[1] & 0x3fu) << 12 | (u[2] & 0x3fu) << 6 | (u[3] & 0x3fu);
}

/* Where the character before s begins; there must be one. */
static inline const char *uchar_back(const char *s)
{
	do
		s--;
	while (((unsigned char)*s & 0xc0) == 0x80);
	return s;
}

/* How many bytes the character that begins with this byte has. */
static inline size_t uchar_size(char first)
{
	unsigned char u = (unsigned char)first;

	return u < 0x80 ? 1 : u < 0xe0 ? 2 : u < 0xf0 ? 3 : 4;
}

/* Behind the ASCII letters at s: eight at a time, as words are short. */
static inline const char *uchar_skip_letters(const char *s, const char *end)
{
	const uint64_t ones = 0x0101010101010101u, high = ones * 0x80;
	uint64_t eight, folded, others;

	for (; end - s >= 8; s += 8) {
		memcpy(&eight, s, 8);
		folded = (eight | ones * 0x20) & ~high;
		/* a byte's high bit: it is not from 'a' to 'z' */
		others =
			(~(folded + ones * (0x80 - 'a')) | (folded + ones * (0x7f - 'z')) | eight) &
			high;
		if (others)
			return s + __builtin_ctzll(others) / 8;
	}
	while (s < end && (unsigned char)((*s | 0x20) - 'a') < 26)
		s++;
	return s;
}

/* Whether cp lies in one of n ranges, each a first and a last code point, in ascending order. */
bool uchar_in(const uint32_t (*ranges)[2], size_t n, uint32_t cp);

#endif
