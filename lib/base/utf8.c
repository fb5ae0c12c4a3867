#include "base/utf8.h"

#include <string.h>

int utf8_decode(const char *s, size_t n, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *u = (const unsigned char *)s;
	int len = u[0] < 0x80 ? 1 : u[0] >> 5 == 6 ? 2 : u[0] >> 4 == 14 ? 3 : u[0] >> 3 == 30 ? 4 : 0;
	uint32_t c;

	*cp = 0xfffd;
	if (len == 1) {
		*cp = u[0];
		return 1;
	}
	if (!len || (size_t)len > n)
		return 0;
	c = u[0] & (0xffu >> (len + 1));
	for (int i = 1; i < len; i++) {
		if (u[i] >> 6 != 2)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*cp = c;
	return len;
}

int utf8_encode(char *s, uint32_t cp)
{
	int len = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	if (len == 1) {
		s[0] = (char)cp;
		return 1;
	}
	for (int i = len - 1; i > 0; i--) {
		s[i] = (char)(0x80 | (cp & 0x3f));
		cp >>= 6;
	}
	s[0] = (char)(0xf00 >> len | cp);
	return len;
}

size_t utf8_valid_prefix(const char *s, size_t n)
{
	size_t i = 0;
	uint64_t eight;
	uint32_t cp;
	int len;

	while (i < n) {
		if (n - i >= 8) {
			memcpy(&eight, s + i, 8);
			if (!(eight & 0x8080808080808080u)) {
				i += 8;
				continue;
			}
		}
		len = utf8_decode(s + i, n - i, &cp);
		if (!len)
			break;
		i += (size_t)len;
	}
	return i;
}

size_t utf8_broken(const char *s, size_t n, bool *open)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t len = u[0] < 0xc2 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 1, i = 1;
	unsigned char low = u[0] == 0xe0 ? 0xa0 : u[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = u[0] == 0xed ? 0x9f : u[0] == 0xf4 ? 0x8f : 0xbf;

	for (; i < len && i < n && u[i] >= low && u[i] <= high; i++) {
		low = 0x80;
		high = 0xbf;
	}
	*open = i == n && n < len;
	return i;
}
