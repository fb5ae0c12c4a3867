/* lib/jinja: chat templates of real models, as Jinja2 rendered them, and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "io/file.h"
#include "io/lines.h"
#include "tests/unit/support/templates.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define TEMPLATES "../shared/data/templates"

static struct lines *open_golden(struct err *err)
{
	FILE *f = fopen(TEMPLATES "/golden.jsonl.gz", "rb");

	if (!f)
		return NULL;
	fclose(f);
	return lines_open(TEMPLATES "/golden.jsonl.gz", LINES_MAX_RECORD, NULL, err);
}

static void load_template(const struct json *row, struct buf *source)
{
	struct err err = ERR_INIT;
	char path[256];

	snprintf(path, sizeof path, TEMPLATES "/%s", json_text(json_get(row, "template")));
	buf_clear(source);
	if (file_read(path, 1 << 20, source, &err))
		fail_msg("%s", err.text);
}

/* The row as the template's variables, with what the golden file takes for granted. */
static struct json *row_variables(const char *text, size_t n)
{
	struct buf more = BUF_INIT;
	struct json *v;

	buf_add(&more, text, n - 1);
	buf_add_str(&more, ",\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"tools\":null,\"documents\":null}");
	v = templates_parse(more.data);
	buf_release(&more);
	return v;
}

static void renders_real_templates(void **state)
{
	struct err err = ERR_INIT;
	struct buf source = BUF_INIT, out = BUF_INIT;
	struct lines *golden = open_golden(&err);
	struct lines_record r;
	int wrong = 0, n = 0;

	(void)state;
	if (!golden)
		skip();
	for (; lines_next(golden, &r, &err) == 1; n++) {
		struct json *v = row_variables(r.text, r.len);
		const char *want = json_text(json_get(v, "output"));

		if (!want)
			want = json_text(json_get(v, "error"));
		load_template(v, &source);
		buf_clear(&out);
		templates_render(source.data, source.len, v, &out);
		if (strcmp(out.data, want)) {
			print_error("%s\n  want %s\n  got  %s\n", json_text(json_get(v, "template")), want, out.data);
			wrong++;
		}
		json_free(v);
	}
	lines_close(golden);
	buf_release(&source);
	buf_release(&out);
	assert_true(n > 1000);
	assert_int_equal(wrong, 0);
}

/* A few bytes lost, doubled or exchanged for what means something. */
static void damage(struct buf *text, uint64_t index)
{
	static const char *const pieces[] = {"{%", "%}", "{{", "}}", "{#", "#}", "(", ")", "[", "'", "|", ".", "-",
		" if ", " else ", " in ", " is ", "not ", "{% endif %}", "{% endfor %}", "loop", "~", "0", ":", "**",
		"%", "*", "\\", "\n", "messages", "|list", "|tojson", "namespace", "[::-1]"};
	struct buf copy = BUF_INIT;
	uint32_t bits[4];
	size_t at, n;

	rng_bits(1, 0, index, bits);
	at = bits[0] % (text->len + 1);
	n = bits[1] % 6 < text->len - at ? bits[1] % 6 : text->len - at;
	buf_add(&copy, text->data, at);
	if (bits[2] % 3)
		buf_add_str(&copy, pieces[bits[3] % COUNT(pieces)]);
	else
		buf_add(&copy, text->data + at, n);
	if (bits[2] & 1024)
		at += n;
	buf_add(&copy, text->data + at, text->len - at);
	buf_release(text);
	*text = copy;
}

static void survives_damaged_templates(void **state)
{
	struct err err = ERR_INIT;
	struct buf source = BUF_INIT, out = BUF_INIT;
	struct lines *golden = open_golden(&err);
	struct lines_record r;
	uint64_t index = 0;

	(void)state;
	if (!golden)
		skip();
	while (lines_next(golden, &r, &err) == 1) {
		struct json *v = row_variables(r.text, r.len);

		load_template(v, &source);
		do
			damage(&source, index);
		while (++index % 3);
		buf_clear(&out);
		templates_render(source.data, source.len, v, &out);
		json_free(v);
	}
	lines_close(golden);
	buf_release(&source);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renders_real_templates),
		cmocka_unit_test(survives_damaged_templates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
