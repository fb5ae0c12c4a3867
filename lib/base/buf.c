#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void buf_release(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

char *buf_extend(struct buf *b, size_t n)
{
	struct err ignored;
	size_t need;
	char *p;

	if (b->failed || !size_add(b->len, n, &need) || !size_add(need, 1, &need) ||
		mem_grow(&b->data, &b->cap, need, 1, &ignored)) {
		b->failed = true;
		return NULL;
	}
	p = b->data + b->len;
	b->len += n;
	b->data[b->len] = '\0';
	return p;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
	char *p = buf_extend(b, n);

	if (p && n)
		memcpy(p, bytes, n);
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_add_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : buf_extend(b, (size_t)n);
	if (!p) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
}

int buf_check(struct buf *b, struct err *err)
{
	if (!b->data)
		buf_extend(b, 0);
	return b->failed ? err_set(err, ERR_LIMIT, "out of memory after %zu bytes of text", b->len) : 0;
}
