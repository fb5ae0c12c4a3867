#include "jinja/jinja_impl.h"

/* Through a pointer, since the format is the template's and no compiler can check it. */
static size_t (*const render)(char *to, size_t n, const char *format, const struct tm *tm) = strftime;

/* Python's datetime.now().strftime(format), a directive at a time; the time has no zone. */
void jinja_put_time(struct jtext *t, const struct jstr *format)
{
	const struct tm *now = t->r->options->now;
	const char *s = format->s, *end = s + format->n, *begin;
	char text[128], one[8];
	struct tm local;
	time_t seconds;
	size_t n;

	if (!now) {
		seconds = time(NULL);
		now = localtime_r(&seconds, &local);
	}
	while (now && s < end) {
		if (*s != '%' || s + 1 == end) {
			jtext_add_char(t, *s++);
			continue;
		}
		begin = s++;
		if (s + 1 < end && *s && strchr("-_0^#", *s))
			s++;
		s++;
		if (s[-1] == 'f') {
			jtext_add_str(t, "000000");
		} else if (s[-1] && strchr("aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyY%", s[-1])) {
			n = (size_t)(s - begin);
			memcpy(one, begin, n);
			one[n] = '\0';
			jtext_add(t, text, render(text, sizeof text, one, now));
		} else if (s[-1] != 'z' && s[-1] != 'Z') {
			jtext_add(t, begin, (size_t)(s - begin));
		}
	}
}
