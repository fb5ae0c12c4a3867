/* evalwin of training logs: what each metric was, and its curve. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_eval.h"
#include "cmd/cmd_verdicts.h"
#include "eval/names.h"
#include "io/json.h"

struct measured {
	double step, value;
	int file, key;
};

struct log {
	char *const *paths;
	int n, file; /* file: that is being read */
	struct names keys;
	struct measured *all;
	size_t count, cap;
};

/* A metric of a file: how it went. */
struct course {
	size_t n;
	double first, last, low, high, low_step, high_step;
};

static int read_line(void *context, const struct json *row, struct err *err)
{
	struct log *l = context;
	double step, value;
	int key;

	if (!json_number(json_get(row, "step"), &step))
		return err_set(err, ERR_FAILED, "no 'step': not a line of a training log");
	for (const struct json *v = json_first(row); v; v = json_next(v)) {
		if (!strcmp(json_key(v), "step") || !json_number(v, &value))
			continue;
		key = names_add(&l->keys, json_key(v), strlen(json_key(v)), err);
		if (key < 0 || mem_grow(&l->all, &l->cap, l->count + 1, sizeof *l->all, err))
			return -1;
		l->all[l->count++] = (struct measured){step, value, l->file, key};
	}
	return 0;
}

static struct course follow(const struct log *l, int file, int key)
{
	struct course c = {.low = NAN, .high = NAN};

	for (size_t i = 0; i < l->count; i++) {
		const struct measured *m = &l->all[i];

		if (m->file != file || m->key != key)
			continue;
		c.first = c.n++ ? c.first : m->value;
		c.last = m->value;
		if (!(c.low <= m->value)) {
			c.low = m->value;
			c.low_step = m->step;
		}
		if (!(c.high >= m->value)) {
			c.high = m->value;
			c.high_step = m->step;
		}
	}
	return c;
}

static void put_text(struct buf *out, const struct log *l)
{
	static const char *const heads[] = {"metric", "log", "lines", "first", "last", "least",
		"at step", "most", "at step", NULL};
	struct table t = TABLE_INIT;

	eval_put_heads(&t, NAN, heads);
	for (int k = 0; k < l->keys.n; k++)
		for (int f = 0; f < l->n; f++) {
			struct course c = follow(l, f, k);

			if (!c.n)
				continue;
			table_add(&t, "%s", names_get(&l->keys, k));
			table_add(&t, "%s", l->paths[f]);
			table_count(&t, c.n);
			table_add(&t, "%.5g", c.first);
			table_add(&t, "%.5g", c.last);
			table_add(&t, "%.5g", c.low);
			table_add(&t, "%.0f", c.low_step);
			table_add(&t, "%.5g", c.high);
			table_add(&t, "%.0f", c.high_step);
			table_row(&t);
		}
	table_put(&t, out);
	table_release(&t);
}

static void put_json(struct buf *out, const struct log *l)
{
	buf_add_char(out, '{');
	eval_json_open(out, "logs", '[');
	for (int f = 0; f < l->n; f++) {
		eval_json_open(out, NULL, '{');
		eval_json_string(out, "file", l->paths[f]);
		eval_json_open(out, "metrics", '{');
		for (int k = 0; k < l->keys.n; k++) {
			struct course c = follow(l, f, k);

			if (!c.n)
				continue;
			eval_json_open(out, names_get(&l->keys, k), '{');
			eval_json_number(out, "", "n", (double)c.n);
			eval_json_number(out, "", "first", c.first);
			eval_json_number(out, "", "last", c.last);
			eval_json_number(out, "", "min", c.low);
			eval_json_number(out, "", "min_step", c.low_step);
			eval_json_number(out, "", "max", c.high);
			eval_json_number(out, "", "max_step", c.high_step);
			eval_json_close(out, '}');
		}
		eval_json_close(out, '}');
		eval_json_close(out, '}');
	}
	eval_json_close(out, ']');
	buf_add_str(out, "}\n");
}

/* ---- curves: chosen and rejected, training and evaluation share a chart */

static void chart_name(const char *key, char name[100])
{
	char *side;

	snprintf(name, 100, "%s", !strncmp(key, "eval_", 5) ? key + 5 : key);
	side = strrchr(name, '/');
	if (side && (!strcmp(side, "/chosen") || !strcmp(side, "/rejected")))
		*side = 0;
}

static void add_series(struct chart *c, const struct log *l, int file, int key)
{
	char name[300];
	int series;

	snprintf(name, sizeof name, "%.100s%s%.150s", names_get(&l->keys, key),
		l->n > 1 ? ", " : "", l->n > 1 ? l->paths[file] : "");
	series = chart_add_series(c, name);
	for (size_t i = 0; i < l->count; i++) {
		const struct measured *m = &l->all[i];
		const struct chart_point p = {
			.x = m->step, .y = m->value, .low = NAN, .high = NAN, .series = series};

		if (m->file == file && m->key == key)
			chart_add(c, &p, NULL);
	}
}

/* A chart of key and of all later ones that belong to it. */
static int draw_chart(
	const struct log *l, int key, const char *name, struct eval_output *out, struct err *err)
{
	struct chart *c = eval_add_chart(out, CHART_LINES, name, "step", "", err);
	char other[100];

	if (!c)
		return -1;
	for (int k = key; k < l->keys.n; k++) {
		chart_name(names_get(&l->keys, k), other);
		for (int f = 0; !strcmp(other, name) && f < l->n; f++)
			if (follow(l, f, k).n && c->nseries < CHART_SERIES)
				add_series(c, l, f, k);
	}
	return chart_check(c, err);
}

static int draw(const struct log *l, struct eval_output *out, struct err *err)
{
	char name[100], earlier[100];

	for (int k = 0; k < l->keys.n; k++) {
		int before = 0;

		chart_name(names_get(&l->keys, k), name);
		for (; before < k; before++) {
			chart_name(names_get(&l->keys, before), earlier);
			if (!strcmp(name, earlier))
				break;
		}
		/* How far the run is says nothing of how it goes. */
		if (before == k && strcmp(name, "epoch") && strcmp(name, "num_tokens") &&
			draw_chart(l, k, name, out, err))
			return -1;
	}
	return 0;
}

int eval_log(const struct eval_options *o, char *const *paths, int n, struct eval_output *out,
	struct err *err)
{
	struct log l = {.paths = paths, .n = n};
	int rc = 0;

	(void)o;
	for (; rc == 0 && l.file < n; l.file++)
		rc = cmd_for_each_record(paths[l.file], read_line, &l, err);
	if (rc == 0) {
		put_text(&out->text, &l);
		put_json(&out->json, &l);
		rc = draw(&l, out, err);
	}
	names_release(&l.keys);
	free(l.all);
	return rc;
}
