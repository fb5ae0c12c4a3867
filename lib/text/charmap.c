#include "text/charmap.h"

#include <stdbool.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "text/bpe.h"
#include "text/uchar.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static size_t put(char *text, uint32_t cp)
{
	return (size_t)utf8_encode(text, cp);
}

size_t charmap_lower(uint32_t cp, char *text)
{
	if (cp == 0x130) { /* the only one that becomes two */
		memcpy(text, "i\xcc\x87", 3);
		return 3;
	}
	return put(text, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp));
}

/* Control, format and private characters, those of Unicode 10. */
static bool is_control(uint32_t cp)
{
	static const uint32_t later[][2] = {
		{0x890, 0x891}, {0x8e2, 0x8e2}, {0x110cd, 0x110cd}, {0x13430, 0x1343f}};

	switch (utf8proc_category((utf8proc_int32_t)cp)) {
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_CF:
	case UTF8PROC_CATEGORY_CO:
		return !uchar_in(later, COUNT(later), cp);
	default:
		return false;
	}
}

size_t charmap_clean(uint32_t cp, char *text)
{
	if (cp == '\t' || cp == '\n' || cp == '\r')
		return put(text, ' ');
	if (!cp || cp == 0xfffd || is_control(cp))
		return 0;
	return put(text, uchar_is_space(cp) ? ' ' : cp);
}

size_t charmap_chinese(uint32_t cp, char *text)
{
	static const uint32_t chinese[][2] = {{0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xf900, 0xfaff},
		{0x20000, 0x2a6df}, {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf},
		{0x2f800, 0x2fa1f}};
	size_t n;

	if (!uchar_in(chinese, COUNT(chinese), cp))
		return put(text, cp);
	text[0] = ' ';
	n = put(text + 1, cp);
	text[n + 1] = ' ';
	return n + 2;
}

size_t charmap_accents(uint32_t cp, char *text)
{
	/* marks that Unicode 8 did not have, or did not call non-spacing */
	static const uint32_t later[][2] = {{0x7fd, 0x7fd}, {0x898, 0x8e1}, {0x9fe, 0x9fe},
		{0xafa, 0xaff}, {0xb55, 0xb55}, {0xc04, 0xc3c}, {0xd00, 0xd00}, {0xd3b, 0xd3c},
		{0xd81, 0xd81}, {0xeba, 0xeba}, {0xece, 0xece}, {0x180f, 0x1886}, {0x1abf, 0x1ace},
		{0x1df6, 0x1dfb}, {0xa82c, 0xa82c}, {0xa8c5, 0xa8c5}, {0xa8ff, 0xa8ff},
		{0xa9bd, 0xa9bd}, {0x10d24, 0x10f85}, {0x11070, 0x11074}, {0x110c2, 0x110c2},
		{0x111c9, 0x111c9}, {0x111cf, 0x111cf}, {0x1123e, 0x11241}, {0x1133b, 0x1133b},
		{0x11438, 0x1145e}, {0x1182f, 0x13455}, {0x16f4f, 0x16f4f}, {0x16fe4, 0x16fe4},
		{0x1cf00, 0x1cf46}, {0x1e000, 0x1e4ef}, {0x1e944, 0x1e94a}};

	if (cp == 0x1734)
		return 0;
	if (utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_MN &&
		!uchar_in(later, COUNT(later), cp))
		return 0;
	return put(text, cp);
}

size_t charmap_marks(uint32_t cp, char *text)
{
	/* marks that Unicode 9 did not have */
	static const uint32_t later[][2] = {{0x7fd, 0x7fd}, {0x898, 0x8d3}, {0x9fe, 0x9fe},
		{0xafa, 0xaff}, {0xb55, 0xb55}, {0xc04, 0xc3c}, {0xcf3, 0xd00}, {0xd3b, 0xd3c},
		{0xd81, 0xd81}, {0xeba, 0xeba}, {0xece, 0xece}, {0x1715, 0x1715}, {0x180f, 0x180f},
		{0x1abf, 0x1ace}, {0x1cf7, 0x1cf7}, {0x1df6, 0x1dfa}, {0xa82c, 0xa82c},
		{0xa8ff, 0xa8ff}, {0x10d24, 0x10f85}, {0x11070, 0x11074}, {0x110c2, 0x110c2},
		{0x11145, 0x11146}, {0x111c9, 0x111c9}, {0x111ce, 0x111cf}, {0x11241, 0x11241},
		{0x1133b, 0x1133b}, {0x1145e, 0x1145e}, {0x1182c, 0x11a99}, {0x11d31, 0x13455},
		{0x16f4f, 0x16f4f}, {0x16f7f, 0x16f87}, {0x16fe4, 0x16ff1}, {0x1cf00, 0x1cf46},
		{0x1e08f, 0x1e4ef}};

	if (cp == 0x1cf2 || cp == 0x1cf3)
		return 0;
	switch (utf8proc_category((utf8proc_int32_t)cp)) {
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ME:
		return uchar_in(later, COUNT(later), cp) ? put(text, cp) : 0;
	default:
		return put(text, cp);
	}
}

size_t charmap_nmt(uint32_t cp, char *text)
{
	static const uint32_t gone[][2] = {
		{0x1, 0x8}, {0xb, 0xb}, {0xe, 0x1f}, {0x7f, 0x7f}, {0x8f, 0x8f}, {0x9f, 0x9f}};
	static const uint32_t spaces[][2] = {{0x9, 0xa}, {0xc, 0xd}, {0x1680, 0x1680},
		{0x200b, 0x200f}, {0x2028, 0x2029}, {0x2581, 0x2581}, {0xfeff, 0xfeff},
		{0xfffd, 0xfffd}};

	if (uchar_in(gone, COUNT(gone), cp))
		return 0;
	return put(text, uchar_in(spaces, COUNT(spaces), cp) ? ' ' : cp);
}

size_t charmap_bytes(uint32_t cp, char *text)
{
	char bytes[4];
	size_t n = put(bytes, cp), size = 0;

	for (size_t i = 0; i < n; i++)
		size += put(text + size, bpe_byte_character((unsigned char)bytes[i]));
	return size;
}
