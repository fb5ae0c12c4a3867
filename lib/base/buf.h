/*
 * A string of bytes that grows. Appending does not report failure at each call: a buffer that could
 * not grow stays as it was and remembers it, and whoever filled it asks once, with buf_check().
 *
 *	struct buf b = BUF_INIT;
 *
 *	buf_add_str(&b, "{\"step\":");
 *	buf_add_fmt(&b, "%d}", step);
 *	if (buf_check(&b, err) == 0)
 *		use(b.data, b.len);
 *	buf_release(&b);
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
	char *data; /* len bytes and a zero byte; NULL only before the first append */
	size_t len, cap;
	bool failed;
};

#define BUF_INIT {.data = NULL}

void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* empties it, keeps its memory, forgets a failure */

/* Room for n more bytes, uninitialised, counted as appended; NULL on failure. */
char *buf_extend(struct buf *b, size_t n);

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_add_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 0, or -1 with ERR_LIMIT if any append failed. After 0, data is never NULL. */
int buf_check(struct buf *b, struct err *err);

#endif
