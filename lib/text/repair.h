/*
 * JSON text with what is not Unicode in it replaced by U+FFFD: bytes that are not UTF-8, one for
 * each longest beginning of a character (as Python's errors="replace" does), and escapes of
 * surrogates without their other half, such as \ud83d alone.
 */
#ifndef TEXT_REPAIR_H
#define TEXT_REPAIR_H

#include <stddef.h>

#include "base/buf.h"

/* Appends the n bytes of text; returns how many times it replaced something. */
size_t repair_text(const char *text, size_t n, struct buf *out);

#endif
