/*
 * Special tokens in messages, followed through a template: a character that no text has, U+FDD0 or one of
 * the 31 behind it, which Unicode keeps from being assigned, is put into each before the template sees it,
 * and taken out of what the template wrote. Where it comes out, the token came from the messages.
 */
#ifndef TEXT_MARKS_H
#define TEXT_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "text/specials.h"

/* Which of the 32 characters the text has, a bit each. */
uint32_t marks_used(const char *text, size_t n);

/* Sets mark to one that is not used; false if there is none. */
bool marks_choose(uint32_t used, char mark[4]);

/*
 * Puts the mark behind the first character of each special token in json; escaped: the tokens as they
 * stand there. 1, and nothing else for the mark ""; 0 where there is none; -1.
 */
int marks_put(struct buf *json, const struct specials *escaped, const char *mark, struct err *err);

/* Takes marks out of n bytes of text; the new length. plain gets 1 for each byte of a marked token. */
size_t marks_take(char *text, size_t n, const struct specials *s, const char *mark, uint8_t *plain);

#endif
