/* Base64 (RFC 4648) with padding, on one line. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

#include "base/buf.h"

/* Appends the n bytes at s as text. */
void base64_encode(struct buf *out, const void *s, size_t n);

/* Appends the bytes of n characters. 0, or -1 (ERR_CORRUPT naming the place). */
int base64_decode(struct buf *out, const char *s, size_t n, struct err *err);

#endif
