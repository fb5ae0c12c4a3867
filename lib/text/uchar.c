#include "text/uchar.h"

#include <utf8proc.h>

#define O UCHAR_OTHER
#define L UCHAR_LETTER
#define N UCHAR_NUMBER
#define S UCHAR_SPACE
const uint8_t uchar_ascii[128] = {O, O, O, O, O, O, O, O, O, S, S, S, S, S, O, O, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, N, N, N, N, N,
	N, N, N, N, N, O, O, O, O, O, O, O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
	L, L, L, L, L, L, L, O, O, O, O, O, O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
	L, L, L, L, L, L, L, L, O, O, O, O, O};
#undef O
#undef L
#undef N
#undef S

bool uchar_in(const uint32_t (*ranges)[2], size_t n, uint32_t cp)
{
	size_t low = 0, high = n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (cp > ranges[middle][1])
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && cp >= ranges[low][0];
}

static utf8proc_category_t category(uint32_t cp)
{
	return utf8proc_category((utf8proc_int32_t)cp);
}

bool uchar_is_space(uint32_t cp)
{
	if (cp < 0x80)
		return uchar_ascii[cp] == UCHAR_SPACE;
	if (cp < 0x1680)
		return cp == 0x85 || cp == 0xa0;
	return cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 ||
	       cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

enum uchar_kind uchar_kind(uint32_t cp)
{
	if (cp < 0x80)
		return (enum uchar_kind)uchar_ascii[cp];
	switch (category(cp)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
		return UCHAR_LETTER;
	case UTF8PROC_CATEGORY_ND:
	case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_NO:
		return UCHAR_NUMBER;
	default:
		return uchar_is_space(cp) ? UCHAR_SPACE : UCHAR_OTHER;
	}
}

bool uchar_is_numeric(uint32_t cp)
{
	return uchar_kind(cp) == UCHAR_NUMBER;
}

bool uchar_is_word(uint32_t cp)
{
	/* the zero-width joiners, and circled letters, which are alphabetic symbols */
	static const uint32_t others[][2] = {{0x200c, 0x200d}, {0x24b6, 0x24e9}, {0x1f130, 0x1f149},
		{0x1f150, 0x1f169}, {0x1f170, 0x1f189}};

	switch (category(cp)) {
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ME:
	case UTF8PROC_CATEGORY_ND:
	case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_PC:
		return true;
	default:
		return uchar_kind(cp) == UCHAR_LETTER ||
		       uchar_in(others, sizeof others / sizeof *others, cp);
	}
}

bool uchar_is_punctuation(uint32_t cp)
{
	static const uint32_t later[][2] = {{0x61d, 0x61d}, {0x9fd, 0x9fd}, {0xa76, 0xa76},
		{0xc77, 0xc77}, {0xc84, 0xc84}, {0x1b7d, 0x1b7e}, {0x2e43, 0x2e4f},
		{0x2e52, 0x2e5d}, {0x10ead, 0x10ead}, {0x10f55, 0x10f59}, {0x10f86, 0x10f89},
		{0x1144b, 0x1144f}, {0x1145a, 0x1145b}, {0x1145d, 0x1145d}, {0x11660, 0x1166c},
		{0x116b9, 0x116b9}, {0x1183b, 0x1183b}, {0x11944, 0x11946}, {0x119e2, 0x119e2},
		{0x11a3f, 0x11a46}, {0x11a9a, 0x11a9c}, {0x11a9e, 0x11aa2}, {0x11b00, 0x11b09},
		{0x11c41, 0x11c45}, {0x11c70, 0x11c71}, {0x11ef7, 0x11ef8}, {0x11f43, 0x11f4f},
		{0x11fff, 0x11fff}, {0x12ff1, 0x12ff2}, {0x16e97, 0x16e9a}, {0x16fe2, 0x16fe2},
		{0x1e95e, 0x1e95f}};

	if (cp < 0x80)
		return cp > 0x20 && cp < 0x7f && uchar_ascii[cp] == UCHAR_OTHER;
	switch (category(cp)) {
	case UTF8PROC_CATEGORY_PC:
	case UTF8PROC_CATEGORY_PD:
	case UTF8PROC_CATEGORY_PS:
	case UTF8PROC_CATEGORY_PE:
	case UTF8PROC_CATEGORY_PI:
	case UTF8PROC_CATEGORY_PF:
	case UTF8PROC_CATEGORY_PO:
		return !uchar_in(later, sizeof later / sizeof *later, cp);
	default:
		return cp == 0x166d || cp == 0x111c9;
	}
}
