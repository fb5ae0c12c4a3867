#include "cmd/cmd_verdicts.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "cmd/cmd.h"
#include "eval/table.h"
#include "io/file.h"
#include "io/json.h"
#include "io/lines.h"

/* The same thing under different names, the most telling first. */
static const char *const item_keys[] = {
	"instruction", "prompt", "question", "question_id", "item", "index", NULL};
static const char *const judge_keys[] = {"judge", "annotator", NULL};
static const char *const base_keys[] = {"generator_1", "model_a", "model_1", "a", NULL};
static const char *const model_keys[] = {"generator_2", "model_b", "model_2", "model", "b", NULL};
static const char *const base_length_keys[] = {"len_output_1", "len_a", NULL};
static const char *const model_length_keys[] = {"len_output_2", "len_b", NULL};
static const char *const base_text_keys[] = {
	"output_1", "conversation_a", "response_a", "output_a", NULL};
static const char *const model_text_keys[] = {
	"output_2", "conversation_b", "response_b", "output_b", NULL};
/* alpaca_eval's own file has the index in a column without a name. */
static const char *const difficulty_item_keys[] = {
	"instruction", "prompt", "question", "question_id", "item", "index", "", NULL};
static const char *const difficulty_keys[] = {"instruction_difficulty", "difficulty", NULL};

static const struct json *find(const struct json *row, const char *const *keys)
{
	for (; *keys; keys++) {
		const struct json *v = json_get(row, *keys);

		if (v && json_kind(v) != JSON_NULL)
			return v;
	}
	return NULL;
}

/* A string, or a number as it is written, into text; false for anything else. */
static bool get_text(const struct json *v, struct buf *text)
{
	size_t n;
	const char *s = json_string(v, &n);

	buf_clear(text);
	if (s)
		buf_add(text, s, n);
	else if (json_kind(v) == JSON_NUMBER || json_kind(v) == JSON_BOOL)
		json_write(text, v);
	return s || text->len;
}

/* A number, also as text, which tables have. */
static bool get_number(const struct json *v, double *out)
{
	const char *s = json_text(v);
	char *end;

	if (!s)
		return json_number(v, out);
	*out = strtod(s, &end);
	return end != s && !*end && isfinite(*out);
}

static int add_name(struct names *all, const struct json *v, const char *otherwise,
	struct buf *text, struct err *err)
{
	if (get_text(v, text) && text->len)
		return names_add(all, text->data, text->len, err);
	return names_add(all, otherwise, strlen(otherwise), err);
}

/* -1 stays where there is nothing; *to otherwise. */
static int add_optional(
	struct names *all, const struct json *v, struct buf *text, int *to, struct err *err)
{
	*to = -1;
	if (!get_text(v, text))
		return 0;
	*to = names_add(all, text->data, text->len, err);
	return *to < 0 ? -1 : 0;
}

/* ---- lengths, in characters */

double cmd_text_length(const struct json *v)
{
	const struct json *content;
	double sum = 0, length;
	size_t n;
	const char *s = json_string(v, &n);

	if (s)
		return table_width(s, n);
	if (json_kind(v) != JSON_ARRAY)
		return -1;
	for (const struct json *m = json_first(v); m; m = json_next(m)) {
		const char *role = json_text(json_get(m, "role"));

		content = json_get(m, "content");
		if (!role || strcmp(role, "assistant"))
			continue;
		length = cmd_text_length(content);
		if (length < 0)
			return -1;
		sum += length;
	}
	return sum;
}

static double get_length(
	const struct json *row, const char *const *numbers, const char *const *texts)
{
	double n;

	if (get_number(find(row, numbers), &n) && n >= 0)
		return n;
	return cmd_text_length(find(row, texts));
}

/* ---- the verdict: 1, 0 where the record has none, -1 */

static int take_preference(const struct json *v, double *value, struct err *err)
{
	double x;

	if (json_kind(v) == JSON_NULL || (json_text(v) && !*json_text(v)))
		return 0;
	if (!get_number(v, &x))
		return err_set(err, ERR_FAILED, "'preference' is no number");
	if (x != 0 && (x < 1 || x > 2))
		return err_set(err, ERR_FAILED, "preference %g is neither from 1 to 2 nor 0", x);
	*value = x == 0 ? 0.5 : x - 1;
	return 1;
}

static int take_winner(const struct verdicts *v, const struct json *winner,
	const struct verdict *one, double *value, struct err *err)
{
	static const struct {
		const char *text;
		double value;
	} known[] = {{"model_a", 0}, {"model_b", 1}, {"model_1", 0}, {"model_2", 1}, {"a", 0},
		{"b", 1}, {"tie", 0.5}, {"draw", 0.5}, {"tie (bothbad)", 0.5}, {"both_bad", 0.5},
		{"bothbad", 0.5}};
	const char *s = json_text(winner);

	if (json_kind(winner) == JSON_NULL || (s && !*s))
		return 0;
	if (!s)
		return err_set(err, ERR_FAILED, "'winner' is no string");
	for (int side = 0; side < 2; side++)
		if (!strcmp(s, names_get(&v->models, side ? one->model : one->base))) {
			*value = side;
			return 1;
		}
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcasecmp(s, known[i].text)) {
			*value = known[i].value;
			return 1;
		}
	return err_set(err, ERR_FAILED,
		"winner '%.60s' is none of the models, 'model_a', 'model_b', 'a', 'b' and 'tie'",
		s);
}

/* What was shown first: by alpaca_eval's mark of a switch; in battles, a. */
static enum verdict_first first_shown(const struct json *row, bool battle)
{
	const struct json *v = json_get(row, "is_switched_outputs");
	bool switched;

	if (json_bool(v, &switched))
		return switched ? FIRST_MODEL : FIRST_BASE;
	return battle ? FIRST_BASE : FIRST_UNKNOWN;
}

static int take(struct verdicts *v, const struct json *row, const char *by, struct buf *text,
	struct err *err)
{
	const struct json *preference = json_get(row, "preference"),
			  *winner = json_get(row, "winner");
	struct verdict one = {.judge = -1};
	int rc;

	if (json_kind(row) != JSON_OBJECT)
		return err_set(err, ERR_FAILED, "not an object");
	if (!preference && !winner)
		return err_set(err, ERR_FAILED, "no verdict: neither 'preference' nor 'winner'");
	one.base = add_name(&v->models, find(row, base_keys), "baseline", text, err);
	one.model =
		one.base < 0 ? -1 : add_name(&v->models, find(row, model_keys), "model", text, err);
	if (one.model < 0)
		return -1;
	if (one.base == one.model)
		return err_set(
			err, ERR_FAILED, "both sides are '%.60s'", names_get(&v->models, one.base));
	rc = preference ? take_preference(preference, &one.value, err)
			: take_winner(v, winner, &one, &one.value, err);
	if (rc < 1) {
		v->unjudged += rc == 0;
		return rc;
	}
	if (add_optional(&v->items, find(row, item_keys), text, &one.item, err) ||
		add_optional(&v->judges, find(row, judge_keys), text, &one.judge, err) ||
		add_optional(&v->groups, by ? json_get(row, by) : NULL, text, &one.group, err))
		return -1;
	one.base_length = get_length(row, base_length_keys, base_text_keys);
	one.model_length = get_length(row, model_length_keys, model_text_keys);
	one.first = first_shown(row, winner && !preference);
	return verdicts_add(v, &one, err);
}

static struct json *parse(const struct lines_record *r, struct err *err)
{
	if (r->element || *r->text == '{')
		return json_parse(r->text, r->len, err);
	err_set(err, ERR_CORRUPT, "no JSON object, nor a table's head with commas or tabs");
	return NULL;
}

int cmd_for_each_record(const char *path,
	int (*f)(void *context, const struct json *row, struct err *err), void *context,
	struct err *err)
{
	struct lines *in = lines_open(path, LINES_MAX_RECORD, NULL, err);
	struct lines_record r;
	struct json *row;
	int rc = in ? 1 : -1;

	while (rc == 1 && (rc = lines_next(in, &r, err)) == 1) {
		row = parse(&r, err);
		if (!row || f(context, row, err))
			rc = err_at(err, "%s: line %" PRIu64, path, r.line);
		json_free(row);
	}
	if (rc == 0 && lines_blank(in))
		rc = err_set(err, ERR_CORRUPT, "%s: empty: expected JSON or a table",
			strcmp(path, "-") ? path : "stdin");
	lines_close(in);
	return rc;
}

struct reading {
	struct verdicts *v;
	const char *by;
	struct buf text;
};

static int read_one(void *context, const struct json *row, struct err *err)
{
	struct reading *r = context;

	if (take(r->v, row, r->by, &r->text, err) < 0)
		return -1;
	cmd_progress(r->v->n, "%s", "");
	return 0;
}

int cmd_verdicts_read(struct verdicts *v, const char *path, const char *by, struct err *err)
{
	struct reading r = {v, by, BUF_INIT};
	int rc = cmd_for_each_record(path, read_one, &r, err);

	buf_release(&r.text);
	return rc;
}

/* ---- difficulties */

struct difficulties {
	const struct verdicts *v;
	double *by_item;
	struct buf text;
};

static int read_difficulty(void *context, const struct json *row, struct err *err)
{
	struct difficulties *d = context;
	double x;
	int item;

	if (!get_text(find(row, difficulty_item_keys), &d->text))
		return err_set(err, ERR_FAILED, "no item: neither 'instruction' nor 'index'");
	if (!get_number(find(row, difficulty_keys), &x))
		return err_set(
			err, ERR_FAILED, "no number in 'instruction_difficulty' or 'difficulty'");
	item = names_find(&d->v->items, d->text.data, d->text.len);
	if (item >= 0)
		d->by_item[item] = x;
	return 0;
}

double *cmd_difficulties_read(const struct verdicts *v, const char *path, struct err *err)
{
	struct difficulties d = {
		.v = v, .by_item = mem_new((size_t)v->items.n, sizeof(double), err)};
	int rc = d.by_item ? 0 : -1;

	for (int i = 0; rc == 0 && i < v->items.n; i++)
		d.by_item[i] = NAN;
	rc = rc || cmd_for_each_record(path, read_difficulty, &d, err);
	for (int i = 0; rc == 0 && i < v->items.n; i++)
		if (isnan(d.by_item[i]))
			rc = err_set(err, ERR_MISMATCH, "%s: no difficulty of item '%.60s'", path,
				names_get(&v->items, i));
	buf_release(&d.text);
	if (rc) {
		free(d.by_item);
		d.by_item = NULL;
	}
	return d.by_item;
}

int cmd_difficulties_write(
	const struct verdicts *v, const double *difficulty, const char *path, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc;

	for (int i = 0; i < v->items.n; i++) {
		const char *name = names_get(&v->items, i);

		buf_add_str(&text, "{\"instruction\":");
		json_quote_bytes(&text, name, strlen(name));
		buf_add_str(&text, ",\"instruction_difficulty\":");
		json_put_number(&text, difficulty[i]);
		buf_add_str(&text, "}\n");
	}
	rc = buf_check(&text, err) ? -1 : file_write(path, text.data, text.len, err);
	buf_release(&text);
	return rc;
}
