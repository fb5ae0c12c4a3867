#include "base/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, const void *s, size_t n)
{
	const unsigned char *u = s;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t bits = 0;
		char text[4];

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (i + j < n ? u[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			text[j] = i + j > n ? '=' : digits[bits >> (18 - 6 * j) & 63];
		buf_add(out, text, 4);
	}
}

int base64_decode(struct buf *out, const char *s, size_t n, struct err *err)
{
	size_t end = n;
	uint32_t bits = 0;

	if (n % 4)
		return err_set(err, ERR_CORRUPT, "base64 of %zu characters", n);
	while (end && n - end < 2 && s[end - 1] == '=')
		end--;
	for (size_t i = 0; i < end; i++) {
		const char *digit = s[i] ? strchr(digits, s[i]) : NULL;

		if (!digit)
			return err_set(err, ERR_CORRUPT, "byte %zu is not base64", i);
		bits = bits << 6 | (uint32_t)(digit - digits);
		if (i % 4)
			buf_add_char(out, (char)(bits >> (6 - i % 4 * 2)));
	}
	return buf_check(out, err);
}
