#include "text/charsmap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

struct charsmap {
	uint32_t *units;
	size_t n;
	char *made; /* zero-terminated strings one after the other; a zero byte follows */
	size_t size;
	bool keeps[256];
};

/* A unit's parts, as Darts packs them. */
static uint32_t unit_offset(uint32_t unit)
{
	return (unit >> 10) << ((unit & 1u << 9) >> 6);
}

static uint32_t unit_label(uint32_t unit)
{
	return unit & (1u << 31 | 0xff);
}

struct charsmap *charsmap_new(const void *bytes, size_t n, struct err *err)
{
	struct charsmap *c = mem_new(1, sizeof *c, err);
	const unsigned char *u = bytes;
	size_t size =
		n >= 4 ? (size_t)u[0] | (size_t)u[1] << 8 | (size_t)u[2] << 16 | (size_t)u[3] << 24
		       : 0;

	if (!c)
		return NULL;
	if (n < 8 || size % 4 || size < 4 || size > n - 4 ||
		utf8_valid_prefix((const char *)u + 4 + size, n - 4 - size) < n - 4 - size) {
		err_set(err, ERR_CORRUPT, "a map of %zu bytes that is cut off or damaged", n);
		goto fail;
	}
	c->n = size / 4;
	c->size = n - 4 - size;
	c->units = mem_new(c->n, sizeof *c->units, err);
	c->made = c->units ? mem_copy((const char *)u + 4 + size, c->size, err) : NULL;
	if (!c->made)
		goto fail;
	for (size_t i = 0; i < c->n; i++)
		c->units[i] = (uint32_t)u[4 * i + 4] | (uint32_t)u[4 * i + 5] << 8 |
			      (uint32_t)u[4 * i + 6] << 16 | (uint32_t)u[4 * i + 7] << 24;
	for (int i = 0; i < 128; i++) {
		char text = (char)i;

		c->keeps[i] = text != '\r' && !charsmap_find(c, &text, 1, &size); /* "\r\n" is one */
	}
	return c;
fail:
	charsmap_free(c);
	return NULL;
}

struct charsmap *charsmap_new_base64(const char *text, size_t n, struct err *err)
{
	struct charsmap *c = NULL;
	struct buf bytes = BUF_INIT;

	if (base64_decode(&bytes, text, n, err) == 0)
		c = charsmap_new(bytes.data, bytes.len, err);
	buf_release(&bytes);
	return c;
}

void charsmap_free(struct charsmap *c)
{
	if (!c)
		return;
	free(c->units);
	free(c->made);
	free(c);
}

bool charsmap_keeps(const struct charsmap *c, char byte)
{
	return c->keeps[(unsigned char)byte];
}

const char *charsmap_find(const struct charsmap *c, const char *s, size_t n, size_t *made)
{
	uint32_t at = unit_offset(c->units[0]), unit, value;

	for (size_t i = 0; i < n && s[i]; i++) {
		at ^= (unsigned char)s[i];
		if (at >= c->n)
			return NULL;
		unit = c->units[at];
		if (unit_label(unit) != (unsigned char)s[i])
			return NULL;
		at ^= unit_offset(unit);
		if (unit >> 8 & 1) {
			value = at < c->n ? c->units[at] & 0x7fffffff : UINT32_MAX;
			if (value >= c->size)
				return NULL;
			*made = strlen(c->made + value);
			return c->made + value;
		}
	}
	return NULL;
}
