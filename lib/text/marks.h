/*
 * Special tokens in messages, followed through a template: a character that no text has, U+FDD0 or one of
 * the 31 behind it, which Unicode keeps from being assigned, is put into each before the template sees it,
 * and taken out of what the template wrote. Where it comes out, the token came from the messages.
 */
#ifndef TEXT_MARKS_H
#define TEXT_MARKS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "text/specials.h"

/*
 * Puts the mark behind the first character of each special token in json from byte from on; escaped: the
 * tokens as they stand there. mark is chosen where it is ""; it stays "" where there is nothing to mark.
 * ERR_LIMIT if the text has all 32 characters.
 */
int marks_put(struct buf *json, size_t from, const struct specials *escaped, char mark[4], struct err *err);

/* Takes marks out of n bytes of text; the new length. plain gets 1 for each byte of a marked token. */
size_t marks_take(char *text, size_t n, const struct specials *s, const char *mark, uint8_t *plain);

#endif
