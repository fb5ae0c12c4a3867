#include "cmd/cmd_pairs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_verdicts.h"
#include "io/json.h"
#include "io/lines.h"

static const struct {
	const char *answer[2], *name[2], *otherwise[2];
} sides[] = {
	{{"output_1", "output_2"}, {"generator_1", "generator_2"}, {"output_1", "output_2"}},
	{{"response_a", "response_b"}, {"model_a", "model_b"}, {"a", "b"}},
	{{"a", "b"}, {"model_a", "model_b"}, {"a", "b"}},
	{{"rejected", "chosen"}, {"rejected_model", "chosen_model"}, {"rejected", "chosen"}},
};

static const char *const prompt_keys[] = {"instruction", "prompt", "question", NULL};
static const char *const answer_keys[] = {"completion", "response", "output", NULL};

static const struct json *find(const struct json *row, const char *const *keys)
{
	const struct json *v = NULL;

	for (; !v && *keys; keys++)
		v = json_get(row, *keys);
	return v;
}

static const char *keep(struct pairs *p, struct buf *text, struct err *err)
{
	return buf_check(text, err) ? NULL : arena_copy(&p->memory, text->data, text->len, err);
}

/* A value's JSON. */
static const char *keep_json(struct pairs *p, const struct json *v, struct err *err)
{
	struct buf text = BUF_INIT;
	const char *kept;

	json_write(&text, v);
	kept = keep(p, &text, err);
	buf_release(&text);
	return kept;
}

/* A string's bytes, or a value's JSON. */
static const char *keep_text(struct pairs *p, const struct json *v, struct err *err)
{
	size_t n;
	const char *s = json_string(v, &n);

	return s ? arena_copy(&p->memory, s, n, err) : keep_json(p, v, err);
}

static int add(struct pairs *p, const struct pair *one, struct err *err)
{
	if (mem_grow(&p->all, &p->cap, p->n + 1, sizeof *p->all, err))
		return -1;
	p->all[p->n++] = *one;
	return 0;
}

/* Prompt and group, which both kinds of records have. */
static int take_head(
	struct pairs *p, struct pair *one, const struct json *row, const char *by, struct err *err)
{
	const struct json *prompt = find(row, prompt_keys), *group = by ? json_get(row, by) : NULL;

	if (!prompt)
		return err_set(err, ERR_FAILED,
			"no prompt: neither 'instruction' nor 'prompt' nor 'question'");
	one->prompt = keep_json(p, prompt, err);
	one->group = group ? keep_text(p, group, err) : NULL;
	return !one->prompt || (group && !one->group) ? -1 : 0;
}

static int take_answer(
	struct pairs *p, struct pair *one, int side, const struct json *v, struct err *err)
{
	one->answer[side] = keep_json(p, v, err);
	one->length[side] = cmd_text_length(v);
	return one->answer[side] ? 0 : -1;
}

/* ---- records of pairs */

static int take_pair(struct pairs *p, const struct json *row, const char *by, struct err *err)
{
	struct pair one;

	for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
		const struct json *base = json_get(row, sides[i].answer[0]),
				  *model = json_get(row, sides[i].answer[1]);

		if (!base || !model)
			continue;
		if (take_head(p, &one, row, by, err) || take_answer(p, &one, 0, base, err) ||
			take_answer(p, &one, 1, model, err))
			return -1;
		for (int side = 0; side < 2; side++) {
			const struct json *name = json_get(row, sides[i].name[side]);

			one.name[side] = name ? keep_text(p, name, err) : sides[i].otherwise[side];
			if (!one.name[side])
				return -1;
		}
		return add(p, &one, err);
	}
	return err_set(err, ERR_FAILED,
		"no two answers: neither output_1 and output_2 nor response_a and response_b nor a "
		"and b "
		"nor chosen and rejected");
}

/* ---- records of answers */

struct answers {
	struct lines *file;
	struct lines_record record;
	struct json *row;
	const char *path;
};

/* The next record: 1, 0 at the end, -1. */
static int next_row(struct answers *a, struct err *err)
{
	int rc = lines_next(a->file, &a->record, err);

	json_free(a->row);
	a->row = NULL;
	if (rc < 1)
		return rc;
	a->row = json_parse(a->record.text, a->record.len, err);
	return a->row ? 1 : err_at(err, "%s: line %" PRIu64, a->path, a->record.line);
}

/* Its answers: an element of `completions` and those after it, or the one there is. */
static const struct json *first_answer(const struct json *row)
{
	const struct json *all = json_get(row, "completions");

	return all ? json_first(all) : find(row, answer_keys);
}

static int take_two(struct pairs *p, struct answers *two, const char *by, struct err *err)
{
	const struct json *base = first_answer(two[0].row), *model = first_answer(two[1].row);
	bool many = json_get(two[0].row, "completions") && json_get(two[1].row, "completions");
	struct pair one = {.name = {two[0].path, two[1].path}}, other;

	if (!base || !model)
		return err_set(err, ERR_FAILED,
			"no answer: neither 'completions' nor 'completion', 'response' or "
			"'output'");
	if (take_head(p, &one, two[0].row, by, err) || take_head(p, &other, two[1].row, by, err))
		return -1;
	if (strcmp(one.prompt, other.prompt))
		return err_set(err, ERR_MISMATCH, "the prompts differ");
	for (; base && model;
		base = many ? json_next(base) : NULL, model = many ? json_next(model) : NULL)
		if (take_answer(p, &one, 0, base, err) || take_answer(p, &one, 1, model, err) ||
			add(p, &one, err))
			return -1;
	return 0;
}

static int read_two(struct pairs *p, char *const *paths, const char *by, struct err *err)
{
	struct answers two[2] = {{.path = paths[0]}, {.path = paths[1]}};
	int rc = 1, other = 1;

	for (int i = 0; i < 2; i++) {
		two[i].file = lines_open(paths[i], LINES_MAX_RECORD, NULL, err);
		rc = two[i].file ? rc : -1;
	}
	while (rc == 1 && (rc = next_row(&two[0], err)) >= 0 &&
		(other = next_row(&two[1], err)) >= 0 && rc && other)
		if (take_two(p, two, by, err))
			rc = err_at(err, "%s: line %" PRIu64 ", %s: line %" PRIu64, paths[0],
				two[0].record.line, paths[1], two[1].record.line);
	if (rc >= 0 && other >= 0 && rc != other)
		rc = err_set(err, ERR_MISMATCH, "%s has fewer records than %s", paths[rc != 0],
			paths[rc == 0]);
	for (int i = 0; i < 2; i++) {
		json_free(two[i].row);
		lines_close(two[i].file);
	}
	return rc < 0 || other < 0 ? -1 : 0;
}

/* ---- either */

struct reading {
	struct pairs *p;
	const char *by;
};

static int read_pair(void *context, const struct json *row, struct err *err)
{
	struct reading *r = context;

	return take_pair(r->p, row, r->by, err);
}

/* Does the file begin with an answer, not with two? -1 with err. */
static int holds_answers(const char *path, struct err *err)
{
	struct answers a = {.file = lines_open(path, LINES_MAX_RECORD, NULL, err), .path = path};
	int rc = a.file ? next_row(&a, err) : -1;

	if (rc == 1)
		rc = first_answer(a.row) != NULL;
	json_free(a.row);
	lines_close(a.file);
	return rc;
}

int pairs_read(struct pairs *p, char *const *paths, int n, const char *by, struct err *err)
{
	struct reading r = {p, by};
	int two = n == 2 && strcmp(paths[0], "-") && strcmp(paths[1], "-")
			  ? holds_answers(paths[0], err)
			  : 0;

	if (two)
		return two < 0 ? -1 : read_two(p, paths, by, err);
	for (int i = 0; i < (n ? n : 1); i++)
		if (cmd_for_each_record(n ? paths[i] : "-", read_pair, &r, err))
			return -1;
	return 0;
}

void pairs_release(struct pairs *p)
{
	free(p->all);
	arena_release(&p->memory);
}
