#include "tests/unit/support/templates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "jinja/jinja.h"

const struct tm templates_day = {.tm_year = 124, .tm_mon = 6, .tm_mday = 26, .tm_wday = 5, .tm_yday = 207};

void templates_render(const char *source, size_t n, const struct json *v, struct buf *out)
{
	struct err err = ERR_INIT;
	struct buf exception = BUF_INIT;
	struct jinja_options o = {.now = &templates_day, .exception = &exception};
	struct jinja *t = jinja_parse(source, n, &err);

	if (!t || jinja_render(t, v, &o, out, &err)) {
		assert_int_not_equal(err.code, 0);
		buf_add_str(out, exception.len ? exception.data : err.text);
	}
	assert_int_equal(buf_check(out, &err), 0);
	buf_release(&exception);
	jinja_free(t);
}

struct json *templates_parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(text, strlen(text), &err);

	if (!v)
		fail_msg("%s", err.text);
	return v;
}
