#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	err->code = code;
	return -1;
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int number = errno;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof err->text - n, ": %s", strerror(number));
	err->code = ERR_FAILED;
	return -1;
}

int err_at(struct err *err, const char *fmt, ...)
{
	char place[sizeof err->text / 2], old[sizeof err->text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(place, sizeof place, fmt, ap);
	va_end(ap);
	memcpy(old, err->text, sizeof old);
	snprintf(err->text, sizeof err->text, "%s: %.*s", place,
		(int)(sizeof err->text - strlen(place) - 3), old);
	return -1;
}
