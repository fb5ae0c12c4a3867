#include "text/normalize_form.h"

#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/uchar.h"

/* What a form does not change, and what does not join with the character before it. */
static bool is_inert(int form, uint32_t cp)
{
	static const uint32_t composed[][2] = {{0x0370, 0x0373}, {0x0375, 0x037d}, {0x037f, 0x0386},
		{0x0388, 0x0482}, {0x048a, 0x0590}, {0x05d0, 0x05ea}, {0x0620, 0x064a},
		{0x0660, 0x066f}, {0x0671, 0x06d5}, {0x0904, 0x0939}, {0x0e01, 0x0e37},
		{0x0e3f, 0x0e47}, {0x10a0, 0x10ff}, {0x1e00, 0x1eff}, {0x2010, 0x20cf},
		{0x2100, 0x2125}, {0x212c, 0x2328}, {0x232b, 0x2adb}, {0x2e80, 0x3029},
		{0x3030, 0x3098}, {0x309b, 0xa66e}, {0xac00, 0xd7a3}, {0xe000, 0xf8ff},
		{0xff00, 0xfffd}, {0x1f000, 0x1faff}, {0x20000, 0x2a6df}};

	if (form & UTF8PROC_COMPOSE && !(form & UTF8PROC_COMPAT))
		return cp < 0x300 || uchar_in(composed, sizeof composed / sizeof *composed, cp);
	return cp < 0x80 || (cp >= 0x3400 && cp <= 0x4dbf) || (cp >= 0x4e00 && cp <= 0x9fff);
}

/* Marks and compatibility characters newer than the library's tables. */
static bool is_newer(uint32_t cp)
{
	static const uint32_t newer[][2] = {{0x7fd, 0x7fd}, {0x898, 0x89f}, {0x8ca, 0x8d3},
		{0x9fe, 0x9fe}, {0xc3c, 0xc3c}, {0xd3b, 0xd3c}, {0xeba, 0xeba}, {0x1715, 0x1715},
		{0x1abf, 0x1ace}, {0x1df6, 0x1dfa}, {0x32ff, 0x32ff}, {0xa7f2, 0xa7f4},
		{0xa82c, 0xa82c}, {0xab69, 0xab69}, {0x10781, 0x107ba}, {0x10d24, 0x10d27},
		{0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85},
		{0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
		{0x11930, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34}, {0x11a47, 0x11a47},
		{0x11a99, 0x11a99}, {0x11d42, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42},
		{0x16ff0, 0x16ff1}, {0x1e030, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae},
		{0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9}};

	return uchar_in(newer, sizeof newer / sizeof *newer, cp);
}

/* Appends the normal form of a stretch. */
static int add_form(int form, struct normalize_work *w, const char *s, size_t n, struct buf *out,
	struct err *err)
{
	utf8proc_ssize_t count;
	char text[4];

	do {
		count = utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n,
			w->points, (utf8proc_ssize_t)w->cap, (utf8proc_option_t)form);
		if (count < 0)
			return err_set(err, ERR_FAILED, "normalizing: %s", utf8proc_errmsg(count));
		if ((size_t)count <= w->cap)
			break;
		if (mem_grow(&w->points, &w->cap, (size_t)count, sizeof *w->points, err))
			return -1;
	} while (true);
	count = utf8proc_normalize_utf32(w->points, count, (utf8proc_option_t)form);
	for (utf8proc_ssize_t i = 0; i < count; i++)
		buf_add(out, text, (size_t)utf8_encode(text, (uint32_t)w->points[i]));
	return 0;
}

/*
 * A place inside a stretch: behind what the characters before it become, where those characters
 * remain as they are beside the others; else places->at[1] comes first, and places->at[0] behind
 * one character.
 */
static int place_inside(int form, struct normalize_work *w, const char *s, size_t n,
	struct buf *out, size_t to, size_t *place, bool is_first, struct err *err)
{
	size_t made = out->len - to, alone;

	if (add_form(form, w, s, n, out, err) || buf_check(out, err))
		return -1;
	alone = out->len - to - made;
	if (alone <= made && !memcmp(out->data + to, out->data + to + made, alone))
		*place = to + alone;
	else
		*place = is_first && made ? to + uchar_size(out->data[to]) : to;
	out->len -= alone;
	return 0;
}

/*
 * Only stretches that could change go through utf8proc: from the last inert character on, which a
 * mark may join, to the next.
 */
int normalize_form_run(int form, struct normalize_work *w, const char *in, size_t n,
	struct buf *out, struct places *p, struct err *err)
{
	const char *end = in + n, *copied = in, *stretch = in, *s = in, *at;
	struct places old = *p;
	size_t to;
	uint32_t cp;

	*p = (struct places){.at = {0}};
	while (s < end) {
		at = s;
		cp = uchar_next(&s);
		if (is_inert(form, cp)) {
			stretch = at;
			continue;
		}
		if (is_newer(cp)) {
			stretch = s;
			continue;
		}
		for (at = s; s < end; at = s) {
			cp = uchar_next(&s);
			if (is_inert(form, cp) || is_newer(cp))
				break;
		}
		places_copy(p, &old, (size_t)(copied - in), (size_t)(stretch - copied), out->len);
		buf_add(out, copied, (size_t)(stretch - copied));
		to = out->len;
		if (add_form(form, w, stretch, (size_t)(at - stretch), out, err))
			return -1;
		places_replace(
			p, &old, (size_t)(stretch - in), (size_t)(at - stretch), to, out->len - to);
		for (int i = 0; i < 2; i++) {
			size_t place = old.at[i];

			if (place > (size_t)(stretch - in) && place < (size_t)(at - in) &&
				place_inside(form, w, stretch, place - (size_t)(stretch - in), out,
					to, &p->at[i], i == 0, err))
				return -1;
		}
		copied = stretch = s = at;
	}
	places_copy(p, &old, (size_t)(copied - in), (size_t)(end - copied), out->len);
	buf_add(out, copied, (size_t)(end - copied));
	return 0;
}

bool normalize_form_changes(int form, const char *in, size_t n)
{
	const char *end = in + n;
	uint64_t eight;

	while (in < end) {
		for (; end - in >= 8; in += 8) { /* ASCII never changes */
			memcpy(&eight, in, 8);
			if (eight & 0x8080808080808080u)
				break;
		}
		if (in < end && !is_inert(form, uchar_next(&in)))
			return true;
	}
	return false;
}
