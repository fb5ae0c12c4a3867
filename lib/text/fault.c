#include "text/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	enum fault_class class;
} codes[FAULT_CODES] = {
	[FAULT_NOT_JSON] = {"not-json", FAULT_FATAL},
	[FAULT_NOT_OBJECT] = {"not-object", FAULT_FATAL},
	[FAULT_MISSING_KEY] = {"missing-key", FAULT_FATAL},
	[FAULT_DUPLICATE_KEY] = {"duplicate-key", FAULT_FATAL},
	[FAULT_LOST_KEY] = {"lost-key", FAULT_FATAL},
	[FAULT_WRONG_TYPE] = {"wrong-type", FAULT_FATAL},
	[FAULT_PREFIX] = {"prefix", FAULT_FATAL},
	[FAULT_NO_PROMPT] = {"no-prompt", FAULT_FATAL},
	[FAULT_PROMPT_DIFFERS] = {"prompt-differs", FAULT_FATAL},
	[FAULT_ROLES] = {"roles", FAULT_FATAL},
	[FAULT_MARKER] = {"marker", FAULT_FATAL},
	[FAULT_NEEDS_TEMPLATE] = {"needs-template", FAULT_FATAL},
	[FAULT_TEMPLATE] = {"template", FAULT_FATAL},
	[FAULT_EMPTY] = {"empty", FAULT_BAD},
	[FAULT_IDENTICAL] = {"identical", FAULT_BAD},
	[FAULT_NO_PREFERENCE] = {"no-preference", FAULT_SKIPPED},
	[FAULT_BELOW] = {"below-min", FAULT_SKIPPED},
	[FAULT_EXTENDS] = {"extends", FAULT_NOTE},
	[FAULT_TIE] = {"tie", FAULT_NOTE},
	[FAULT_DUPLICATE] = {"duplicate", FAULT_NOTE},
	[FAULT_CONTRADICTION] = {"contradiction", FAULT_NOTE},
	[FAULT_HELD_OUT] = {"held-out", FAULT_NOTE},
	[FAULT_SPECIAL] = {"special", FAULT_NOTE},
	[FAULT_LEFTOVER] = {"leftover", FAULT_NOTE},
	[FAULT_SYSTEM_LOST] = {"system-lost", FAULT_NOTE},
	[FAULT_BOUNDARY] = {"boundary", FAULT_NOTE},
	[FAULT_REPLACED] = {"replaced", FAULT_NOTE},
};

const char *fault_name(enum fault_code code)
{
	return codes[code].name;
}

enum fault_class fault_class(enum fault_code code)
{
	return codes[code].class;
}

enum fault_code fault_find(const char *name, size_t n)
{
	enum fault_code code = 0;

	while (code < FAULT_CODES && (strlen(codes[code].name) != n || memcmp(codes[code].name, name, n)))
		code++;
	return code;
}

int fault_set(struct fault *f, enum fault_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	f->code = code;
	return 0;
}

struct fault_shown fault_show(const char *s)
{
	struct fault_shown shown;
	size_t n = 0;

	shown.text[n++] = '\'';
	for (; *s && n <= 40; s++)
		shown.text[n++] = *s >= ' ' && *s <= '~' ? *s : '?';
	snprintf(shown.text + n, sizeof shown.text - n, "%s'", *s ? "..." : "");
	return shown;
}
