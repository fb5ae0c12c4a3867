#include "cmd/cmd_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd.h"
#include "io/conveyor.h"
#include "io/lines.h"

#define JOB_BYTES ((size_t)256 << 10)

struct job {
	const struct compile_options *how;
	struct cmd_row *rows;
	size_t n, cap;
	struct arena arena;
	struct err err;
};

struct reading {
	struct cmd_rows *r;
	const char *const *paths;
	int n, next;
	struct lines *in;
	const char *file;
	const struct layout *layout; /* of that file; NULL before its first row */
};

static void compile_job(void *arg)
{
	struct job *job = arg;

	for (size_t i = 0; i < job->n && !job->err.code; i++) {
		struct cmd_row *row = &job->rows[i];

		compile_row(job->how, row->layout, row->text, row->len, &row->compiled, &job->arena, &job->err);
	}
}

/* By the first row of a file that is JSON. */
static int find_layout(struct reading *d, const struct lines_record *line, struct err *err)
{
	struct err why = ERR_INIT;
	size_t replaced;
	struct json *json =
		d->r->layout ? NULL : compile_parse(d->r->how, line->text, line->len, &replaced, &why);
	struct buf keys = BUF_INIT;
	struct fault fault;
	int rc = 0;

	d->layout = d->r->layout;
	if (!d->layout && !json && d->r->unknown) {
		d->r->unknown--;
		return 0;
	}
	if (!d->layout && !json) {
		rc = err_set(err, why.code, "the first row cannot tell the layout: %s", why.text);
	} else if (!d->layout) {
		d->layout = layout_detect(json, &d->r->how->how, &fault);
		layout_put_keys(&keys, json);
		if (!d->layout)
			rc = buf_check(&keys, err)
				     ? -1
				     : err_set(err, ERR_MISMATCH, "%s; the row has %s", fault.text, keys.data);
	}
	if (rc == 0)
		rc = d->r->found(d->r->context, d->file, d->layout, err);
	json_free(json);
	buf_release(&keys);
	return rc ? err_at(err, "%s:%llu", d->file, (unsigned long long)line->line) : 0;
}

static int add(struct reading *d, struct job *job, const struct lines_record *line, struct err *err)
{
	char *text = arena_copy(&job->arena, line->text, line->len, err);

	if (!text || mem_grow(&job->rows, &job->cap, job->n + 1, sizeof *job->rows, err) ||
		(!d->layout && find_layout(d, line, err)))
		return -1;
	job->rows[job->n++] = (struct cmd_row){.place = {d->file, line->line, line->element},
		.text = text,
		.len = line->len,
		.layout = d->layout};
	return 0;
}

/* The next row, of this file or the next one. 1, 0 at the end of all, -1. */
static int next_row(struct reading *d, struct lines_record *line, struct err *err)
{
	for (;;) {
		int rc = d->in ? lines_next(d->in, line, err) : 0;

		if (rc)
			return rc;
		lines_close(d->in);
		d->in = NULL;
		if (d->next == d->n)
			return 0;
		d->file = strcmp(d->paths[d->next], "-") ? d->paths[d->next] : "stdin";
		d->layout = NULL;
		d->in = lines_open(d->paths[d->next++], LINES_MAX_RECORD, d->r->digest, err);
		if (!d->in)
			return -1;
	}
}

static int fill_job(void *context, void *arg, struct err *err)
{
	struct reading *d = context;
	struct cmd_rows *r = d->r;
	struct job *job = arg;
	struct lines_record line;
	size_t bytes = 0;
	int rc = 1;

	arena_clear(&job->arena);
	job->n = 0;
	while (bytes < JOB_BYTES) {
		if (r->limit && r->rows == r->limit) {
			r->whole = false;
			break;
		}
		rc = next_row(d, &line, err);
		if (rc < 1)
			break;
		if (r->seen++ < r->skip)
			continue;
		r->rows++;
		bytes += line.len;
		if (add(d, job, &line, err))
			return -1;
	}
	return rc < 0 ? -1 : job->n > 0;
}

static int take_job(void *context, void *arg, struct err *err)
{
	struct reading *d = context;
	struct job *job = arg;
	int rc = 0;

	if (job->err.code) {
		*err = job->err;
		return -1;
	}
	for (size_t i = 0; i < job->n && rc == 0; i++)
		rc = d->r->take(d->r->context, &job->rows[i], err);
	return rc;
}

int cmd_rows_read(struct cmd_rows *r, const char *const *paths, int n, struct err *err)
{
	static const char *const alone[] = {"-"};
	struct reading d = {.r = r, .paths = n ? paths : alone, .n = n ? n : 1};
	int threads = r->threads > 1 ? r->threads : 0, njobs = threads + 1, rc = -1;
	struct job *jobs = mem_new((size_t)njobs, sizeof *jobs, err);
	void **list = jobs ? mem_new((size_t)njobs, sizeof *list, err) : NULL;

	r->whole = true;
	for (int i = 0; list && i < njobs; i++) {
		jobs[i].how = r->how;
		list[i] = &jobs[i];
	}
	if (list)
		rc = conveyor_run(
			&(struct conveyor_run){list, njobs, threads, fill_job, compile_job, take_job, &d}, err);
	lines_close(d.in);
	for (int i = 0; jobs && i < njobs; i++) {
		arena_release(&jobs[i].arena);
		free(jobs[i].rows);
	}
	free(list);
	free(jobs);
	return rc;
}
