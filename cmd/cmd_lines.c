#include "cmd/cmd_lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/conveyor.h"
#include "io/file.h"
#include "io/lines.h"
#include "text/detokenizer.h"
#include "text/repair.h"

#define JOB_BYTES ((size_t)1 << 17) /* lines that a thread takes at a time */

/* Lines for one thread, and what it makes of them. */
struct job {
	const struct lines_options *o;
	struct encoder *encoder; /* one of these two */
	struct detokenizer *detokenizer;
	struct ids ids;
	struct buf in, text, out;
	struct line {
		size_t at, n; /* within `in` */
		uint64_t number;
	} * lines;
	size_t n, cap;
	const char *path;  /* they are all of one file */
	uint64_t replaced; /* lines in which something was */
	int rc;
	struct err err;
};

/* ---- the work of a thread */

static void put_ids(struct buf *out, const struct ids *ids)
{
	char text[12], *end = text + sizeof text, *s;

	buf_add_str(out, "{\"ids\":[");
	for (size_t i = 0; i < ids->n; i++) {
		uint32_t id = (uint32_t)ids->v[i];

		s = end;
		*--s = i + 1 < ids->n ? ',' : ']';
		do
			*--s = (char)('0' + id % 10);
		while (id /= 10);
		buf_add(out, s, (size_t)(end - s));
	}
	buf_add_str(out, ids->n ? "}\n" : "]}\n");
}

static int encode(struct job *job, const struct json *row, struct err *err)
{
	size_t n;
	const char *text = json_string(json_get(row, "text"), &n);

	if (!text)
		return err_set(err, ERR_FAILED, "no string named 'text'");
	job->ids.n = 0;
	if (encoder_encode(job->encoder, text, n, job->o->flags, &job->ids, err))
		return -1;
	put_ids(&job->out, &job->ids);
	return 0;
}

static int decode(struct job *job, const struct json *row, struct err *err)
{
	const struct json *list = json_get(row, "ids");
	int64_t id;

	if (json_kind(list) != JSON_ARRAY)
		return err_set(err, ERR_FAILED, "no list named 'ids'");
	buf_clear(&job->text);
	for (const struct json *v = json_first(list); v; v = json_next(v)) {
		if (!json_int(v, &id) || id < 0 || id > INT32_MAX)
			return err_set(
				err, ERR_FAILED, "an id that is no number from 0 to %d", INT32_MAX);
		if (detokenizer_put(job->detokenizer, (int32_t)id, &job->text, err))
			return -1;
	}
	if (detokenizer_end(job->detokenizer, &job->text, err))
		return -1;
	buf_add_str(&job->out, "{\"text\":");
	json_quote(&job->out, job->text.data, job->text.len);
	buf_add_str(&job->out, "}\n");
	return 0;
}

/* A line, and where it is not Unicode, if so told, once more without what is none. */
static struct json *parse(struct job *job, const char *text, size_t n, struct err *err)
{
	struct buf repaired = BUF_INIT;
	struct json *row = json_parse(text, n, err);

	if (!row && job->o->replace && repair_text(text, n, &repaired) &&
		buf_check(&repaired, err) == 0) {
		row = json_parse(repaired.data, repaired.len, err);
		job->replaced += row != NULL;
	}
	buf_release(&repaired);
	return row;
}

static int convert_line(struct job *job, const char *text, size_t n, struct err *err)
{
	struct json *row = parse(job, text, n, err);
	int rc = row ? (job->o->decode ? decode : encode)(job, row, err) : -1;

	json_free(row);
	return rc;
}

static void work(void *arg)
{
	struct job *job = arg;

	buf_clear(&job->out);
	job->replaced = 0;
	job->rc = buf_check(&job->in, &job->err);
	for (size_t i = 0; i < job->n && job->rc == 0; i++) {
		const struct line *line = &job->lines[i];

		job->rc = convert_line(job, job->in.data + line->at, line->n, &job->err);
		if (job->rc)
			err_at(&job->err, "%s:%llu", job->path, (unsigned long long)line->number);
	}
	if (job->rc == 0)
		job->rc = buf_check(&job->out, &job->err);
}

/* ---- all lines */

struct run {
	char **paths;
	int n, at; /* the next path */
	struct lines *in;
	const char *path; /* of in */
	struct outfile out;
	uint64_t done, replaced;
};

static int open_next(struct run *r, struct err *err)
{
	static char standard_input[] = "-";
	char *path = r->n ? r->paths[r->at] : standard_input;

	r->in = lines_open(path, LINES_MAX_RECORD, NULL, err);
	r->path = strcmp(path, "-") ? path : "stdin";
	r->at++;
	return r->in ? 0 : -1;
}

static int fill(void *context, void *arg, struct err *err)
{
	struct run *r = context;
	struct job *job = arg;
	struct lines_record line;
	int rc = 1;

	job->n = 0;
	buf_clear(&job->in);
	while (!job->n && (r->in || r->at < (r->n ? r->n : 1))) {
		if (!r->in && open_next(r, err))
			return -1;
		job->path = r->path;
		while (job->in.len < JOB_BYTES && (rc = lines_next(r->in, &line, err)) == 1) {
			if (mem_grow(&job->lines, &job->cap, job->n + 1, sizeof *job->lines, err))
				return -1;
			job->lines[job->n++] = (struct line){job->in.len, line.len, line.line};
			buf_add(&job->in, line.text, line.len);
		}
		if (rc < 0)
			return -1;
		if (rc == 0) {
			lines_close(r->in);
			r->in = NULL;
		}
	}
	return job->n > 0;
}

static int take(void *context, void *arg, struct err *err)
{
	struct run *r = context;
	struct job *job = arg;

	if (job->rc) {
		*err = job->err;
		return -1;
	}
	r->done += job->n;
	r->replaced += job->replaced;
	cmd_progress(r->done, "%s", "");
	return fd_write(r->out.fd, job->out.data, job->out.len, err)
		       ? err_at(err, "%s", r->out.path)
		       : 0;
}

static int init_job(struct job *job, const struct lines_options *o, struct err *err)
{
	job->o = o;
	if (o->decode)
		job->detokenizer = detokenizer_new(o->tokenizer, o->flags, err);
	else
		job->encoder = encoder_new(o->tokenizer, err);
	return job->encoder || job->detokenizer ? 0 : -1;
}

static void free_jobs(struct job *jobs, int n)
{
	for (int i = 0; jobs && i < n; i++) {
		encoder_free(jobs[i].encoder);
		detokenizer_free(jobs[i].detokenizer);
		ids_release(&jobs[i].ids);
		buf_release(&jobs[i].in);
		buf_release(&jobs[i].text);
		buf_release(&jobs[i].out);
		free(jobs[i].lines);
	}
	free(jobs);
}

int lines_convert(const struct lines_options *o, char **paths, int n, struct err *err)
{
	int threads = o->io->threads > 1 ? (int)o->io->threads : 0, njobs = threads + 1, rc;
	struct run r = {.paths = paths, .n = n, .out = {.fd = -1}};
	struct job *jobs = mem_new((size_t)njobs, sizeof *jobs, err);
	void **list = jobs ? mem_new((size_t)njobs, sizeof *list, err) : NULL;

	rc = list ? outfile_open(&r.out, o->io->output, err) : -1;
	for (int i = 0; i < njobs && rc == 0; i++) {
		list[i] = &jobs[i];
		rc = init_job(&jobs[i], o, err);
	}
	cmd_progress_start("lines", 0);
	if (rc == 0)
		rc = conveyor_run(
			&(struct conveyor_run){list, njobs, threads, fill, work, take, &r}, err);
	cmd_progress_end();
	if (rc == 0)
		rc = outfile_commit(&r.out, err);
	if (rc == 0 && r.replaced)
		cmd_say("%llu of %llu lines had something that is not Unicode, now U+FFFD",
			(unsigned long long)r.replaced, (unsigned long long)r.done);
	outfile_close(&r.out);
	lines_close(r.in);
	free_jobs(jobs, njobs);
	free(list);
	return rc;
}
