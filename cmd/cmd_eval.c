#include "cmd/cmd_eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/json.h"

void eval_output_release(struct eval_output *out)
{
	buf_release(&out->text);
	buf_release(&out->json);
	for (size_t i = 0; i < out->ncharts; i++)
		chart_release(&out->charts[i]);
	free(out->charts);
	*out = (struct eval_output){.ncharts = 0};
}

struct chart *eval_add_chart(struct eval_output *out, enum chart_kind kind, const char *title,
	const char *xlabel, const char *ylabel, struct err *err)
{
	if (mem_grow(&out->charts, &out->cap, out->ncharts + 1, sizeof *out->charts, err))
		return NULL;
	chart_init(&out->charts[out->ncharts], kind, title, xlabel, ylabel);
	return &out->charts[out->ncharts++];
}

void eval_put_heads(struct table *t, double level, const char *const *heads)
{
	for (; *heads; heads++)
		if (strcmp(*heads, "interval"))
			table_add(t, "%s", *heads);
		else
			table_add(t, "%g %% interval", 100 * level);
	table_row(t);
}

static void put_comma(struct buf *out)
{
	if (out->len && !strchr("{[", out->data[out->len - 1]))
		buf_add_char(out, ',');
}

void eval_json_key(struct buf *out, const char *group, const char *name)
{
	put_comma(out);
	buf_add_char(out, '"');
	json_escape(out, group, strlen(group));
	json_escape(out, name, strlen(name));
	buf_add_str(out, "\":");
}

void eval_json_number(struct buf *out, const char *group, const char *name, double x)
{
	eval_json_key(out, group, name);
	json_put_number(out, x);
}

void eval_json_string(struct buf *out, const char *name, const char *s)
{
	eval_json_key(out, "", name);
	if (s)
		json_quote_bytes(out, s, strlen(s));
	else
		buf_add_str(out, "null");
}

void eval_json_interval(
	struct buf *out, const char *group, const char *name, struct stats_interval i)
{
	eval_json_key(out, group, name);
	if (isnan(i.low)) {
		buf_add_str(out, "null");
		return;
	}
	buf_add_char(out, '[');
	json_put_number(out, i.low);
	buf_add_char(out, ',');
	json_put_number(out, i.high);
	buf_add_char(out, ']');
}

void eval_json_open(struct buf *out, const char *name, char bracket)
{
	if (name)
		eval_json_key(out, "", name);
	else
		put_comma(out);
	buf_add_char(out, bracket);
}

void eval_json_close(struct buf *out, char bracket)
{
	buf_add_char(out, bracket);
}

void eval_put_doubts(struct buf *out, const struct eval_doubt *table, unsigned doubts)
{
	const char *gap = "\n";

	for (; table->key; table++)
		if (doubts & table->bit) {
			buf_add_fmt(out, "%swarning: %s\n", gap, table->text);
			gap = "";
		}
}

void eval_json_doubts(struct buf *out, const struct eval_doubt *table, unsigned doubts)
{
	eval_json_open(out, "warnings", '[');
	for (; table->key; table++)
		if (doubts & table->bit) {
			put_comma(out);
			buf_add_fmt(out, "\"%s\"", table->key);
		}
	eval_json_close(out, ']');
}
