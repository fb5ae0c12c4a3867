/* pref-fmt: preference data of any known layout to a stream of text records or to JSON lines. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "cmd/cmd.h"
#include "io/file.h"
#include "io/lines.h"
#include "io/prefwriter.h"
#include "text/dialogue.h"
#include "text/layout.h"

/* Bad rows that are named; the others are counted. */
#define MAX_NAMED 20

#define FLUSH ((size_t)1 << 16)

static struct cmd_stream io = CMD_STREAM_INIT;
static const char *formats[32];
static int format = -1;
static bool as_json, keep_meta;
static int64_t max_bad, skip, limit;
static const char *rejects;

static const struct cmd_option options[] = {
	{'f', "format", "NAME", CMD_CHOICE, &format, .choices = formats,
		.help = "the rows' layout (default: by the first row of each file)"},
	{0, "jsonl", 0, CMD_FLAG, &as_json, .private = true,
		.help = "write JSON lines instead of a stream"},
	{0, "keep-meta", 0, CMD_FLAG, &keep_meta, .help = "keep the rows' other fields, as JSON"},
	{0, "max-bad", "N", CMD_INT, &max_bad, 0, 0x1p53,
		.help = "bad rows to put up with (default 0)"},
	{0, "rejects", "FILE", CMD_STRING, &rejects, .private = true,
		.help = "write bad rows there, with file, line and reason"},
	{0, "skip", "N", CMD_INT, &skip, 0, 0x1p53,
		.help = "pass over the first N rows, unchecked"},
	{0, "limit", "N", CMD_INT, &limit, 1, 0x1p53, .help = "stop after N rows, good or bad"},
	{'o', "output", "FILE", CMD_STRING, &io.output, .private = true,
		.help = "write there (default: stdout)"},
	{'u', "stored", 0, CMD_FLAG, &io.stored, .private = true,
		.help = "store blocks uncompressed"},
	{'l', "level", "N", CMD_INT, &io.level, 0, 9, .private = true,
		.help = "compression level (default 1)"},
	{0, "no-prov", 0, CMD_FLAG, &io.no_prov, .private = true,
		.help = "leave provenance out of the header"},
	{'@', "threads", "N", CMD_INT, &io.threads, 1, 1024, .private = true,
		.help = "threads that compress (default: one a processor)"},
	CMD_QUIET_OPTIONS,
	{0},
};

static const struct cmd cmd = {
	"pref-fmt",
	"[-quv] [-@ N] [-f NAME] [-l N] [-o FILE] [--keep-meta] [--limit N] [--max-bad N] "
	"[--no-prov] [--rejects FILE] [--skip N] [FILE ...]\n"
	"--jsonl [-qv] [-f NAME] [-o FILE] [--keep-meta] [--limit N] [--max-bad N] "
	"[--rejects FILE] [--skip N] [FILE ...]\n",
	options,
};

struct run {
	struct layout_options how;
	const char *file;	     /* the one being read, for people */
	const struct layout *layout; /* of that file; NULL before its first row */
	struct sha256 input;
	bool whole; /* all input was read */

	const struct layout *first; /* of all files: what the output can hold */
	const char *first_file;
	struct pref_schema schema;
	struct prefwriter *stream;
	struct outfile json, rejects;
	struct buf text, reject, meta;
	struct arena arena;

	uint64_t seen, rows, kept, bad, turns, reasons[LAYOUT_REASONS];
};

/* ---- output */

static int flush(struct buf *b, const struct outfile *f, size_t least, struct err *err)
{
	if (buf_check(b, err))
		return -1;
	if (b->len < least)
		return 0;
	if (fd_write(f->fd, b->data, b->len, err))
		return err_at(err, "%s", f->path);
	buf_clear(b);
	return 0;
}

/* Once the layout is known, and with it the columns. */
static int open_output(struct run *r, struct err *err)
{
	struct tswriter_options how = cmd_writer_options(&io);
	struct meta meta = META_INIT;
	int rc = 0;

	if (r->layout->chat)
		cmd_say("%s: messages are rendered as plain dialogue, 'Human:' and 'Assistant:'",
			r->file);
	if (as_json)
		return outfile_open(&r->json, io.output, err);
	r->schema =
		(struct pref_schema){.text = true, .label = r->layout->labelled, .meta = keep_meta};
	if (r->layout->chat)
		rc = meta_set(&meta, "template", DIALOGUE_TEMPLATE, err);
	if (rc == 0 && cmd_add_prov(&io, &meta, NULL, err) == 0)
		r->stream = prefwriter_open(io.output, &meta, &r->schema, &how, err);
	meta_release(&meta);
	return r->stream ? 0 : -1;
}

static void put_field(struct buf *out, const char *name, const struct pref_rec *rec, int segment)
{
	buf_add_fmt(out, ",\"%s\":", name);
	json_quote(out, rec->text + rec->seg[segment], (size_t)pref_len(rec, segment));
}

static void put_json(struct buf *out, const struct pref_rec *rec)
{
	buf_add_fmt(out, "{\"id\":\"%016llx\"", (unsigned long long)rec->id);
	put_field(out, "prompt", rec, 0);
	if (rec->k == 1) {
		put_field(out, "completion", rec, 1);
	} else if (rec->k == 2) {
		put_field(out, "chosen", rec, 1);
		put_field(out, "rejected", rec, 2);
	} else {
		for (int i = 1; i <= rec->k; i++) {
			buf_add_str(out, i == 1 ? ",\"completions\":[" : ",");
			json_quote(out, rec->text + rec->seg[i], (size_t)pref_len(rec, i));
		}
		buf_add_char(out, ']');
	}
	if (rec->label)
		buf_add_fmt(out, ",\"label\":%s", rec->label[0] > 0 ? "true" : "false");
	if (keep_meta) {
		buf_add_str(out, ",\"meta\":");
		buf_add(out, rec->meta, rec->meta_len);
	}
	buf_add_str(out, "}\n");
}

static int keep(struct run *r, const struct layout_row *row, struct err *err)
{
	struct pref_rec rec;

	if (layout_record(row, &rec, &r->arena, err))
		return -1;
	if (keep_meta) {
		buf_clear(&r->meta);
		layout_put_meta(&r->meta, r->layout, row->source);
		if (buf_check(&r->meta, err))
			return -1;
		rec.meta = r->meta.data;
		rec.meta_len = r->meta.len;
	}
	r->kept++;
	r->turns += row->turns;
	if (r->stream)
		return prefwriter_add(r->stream, &rec, err);
	put_json(&r->text, &rec);
	return flush(&r->text, &r->json, FLUSH, err);
}

/* ---- bad rows */

/* A string of any bytes: what is not UTF-8 becomes U+FFFD. */
static void put_bytes(struct buf *out, const char *s, size_t n)
{
	struct buf text = BUF_INIT;
	size_t valid = utf8_valid_prefix(s, n);

	for (; valid < n; s += valid + 1, n -= valid + 1, valid = utf8_valid_prefix(s, n)) {
		buf_add(&text, s, valid);
		buf_add_str(&text, "\xef\xbf\xbd");
	}
	buf_add(&text, s, n);
	json_quote(out, text.data, text.len);
	out->failed |= text.failed;
	buf_release(&text);
}

/* The row as it stood: JSON on one line under "row", or under "text" what is none. */
static void put_reject(
	struct run *r, const struct lines_record *line, const struct layout_fault *fault)
{
	struct buf *out = &r->reject;

	buf_add_str(out, "{\"file\":");
	put_bytes(out, r->file, strlen(r->file));
	buf_add_fmt(out,
		",\"line\":%llu,\"reason\":\"%s\",\"detail\":", (unsigned long long)line->line,
		layout_reason_name(fault->reason));
	json_quote(out, fault->text, strlen(fault->text));
	if (fault->reason != LAYOUT_NOT_JSON) {
		buf_add_str(out, ",\"row\":");
		buf_add(out, line->text, line->len);
		for (size_t i = out->len - line->len; !out->failed && i < out->len; i++)
			if (out->data[i] == '\n' || out->data[i] == '\r')
				out->data[i] = ' ';
	} else {
		buf_add_str(out, ",\"text\":");
		put_bytes(out, line->text, line->len);
	}
	buf_add_str(out, "}\n");
}

static int reject(struct run *r, const struct lines_record *line, const struct layout_fault *fault,
	struct err *err)
{
	r->bad++;
	r->reasons[fault->reason]++;
	if (r->bad <= MAX_NAMED || cmd_verbose)
		cmd_say("%s:%llu: %s: %s", r->file, (unsigned long long)line->line,
			layout_reason_name(fault->reason), fault->text);
	else if (r->bad == MAX_NAMED + 1)
		cmd_say("further bad rows are only counted (-v names them all)");
	if (!rejects)
		return 0;
	put_reject(r, line, fault);
	return flush(&r->reject, &r->rejects, FLUSH, err);
}

/* "4 empty, 1 roles" */
static void put_reasons(struct buf *out, const struct run *r)
{
	const char *comma = "";

	for (int i = 0; i < LAYOUT_REASONS; i++)
		if (r->reasons[i]) {
			buf_add_fmt(out, "%s%llu %s", comma, (unsigned long long)r->reasons[i],
				layout_reason_name((enum layout_reason)i));
			comma = ", ";
		}
}

/* ---- input */

/* By the first row of a file; where json is NULL, why says what is wrong with that row. */
static int find_layout(
	struct run *r, const struct json *json, const struct err *why, struct err *err)
{
	struct buf keys = BUF_INIT;
	struct layout_fault fault;

	if (format >= 0) {
		r->layout = layout_at((size_t)format);
	} else if (!json) {
		return err_set(
			err, why->code, "the first row cannot tell the layout: %s", why->text);
	} else {
		r->layout = layout_detect(json, &fault);
	}
	if (!r->layout) {
		layout_put_keys(&keys, json);
		if (buf_check(&keys, err) == 0)
			err_set(err, ERR_MISMATCH, "%s; the row has %s", fault.text, keys.data);
		buf_release(&keys);
		return -1;
	}
	if (cmd_verbose)
		cmd_say("%s: layout '%s'", r->file, r->layout->name);
	if (r->first &&
		(r->first->labelled != r->layout->labelled || r->first->chat != r->layout->chat))
		return err_set(err, ERR_MISMATCH,
			"layout '%s', but %s has '%s': one stream cannot hold both",
			r->layout->name, r->first_file, r->first->name);
	if (r->first)
		return 0;
	r->first = r->layout;
	r->first_file = r->file;
	return open_output(r, err);
}

static int read_row(struct run *r, const struct lines_record *line, struct err *err)
{
	struct err why = ERR_INIT;
	struct json *json = json_parse(line->text, line->len, &why);
	struct layout_fault fault;
	struct layout_row row;
	int rc = 0;

	arena_clear(&r->arena);
	r->rows++;
	if (!r->layout && find_layout(r, json, &why, err))
		rc = err_at(err, "%s:%llu", r->file, (unsigned long long)line->line);
	else if (!json)
		rc = layout_bad(&fault, LAYOUT_NOT_JSON, "%s", why.text);
	else
		rc = layout_read(r->layout, json, &r->how, &r->arena, &row, &fault, err);
	if (rc == 1)
		rc = keep(r, &row, err);
	else if (rc == 0)
		rc = reject(r, line, &fault, err);
	json_free(json);
	return rc;
}

static int read_file(struct run *r, const char *path, struct err *err)
{
	struct lines *in = lines_open(path, LINES_MAX_RECORD, &r->input, err);
	struct lines_record line;
	int rc = in ? 0 : -1;

	r->file = strcmp(path, "-") ? path : "stdin";
	r->layout = NULL;
	while (rc == 0 && (!limit || r->rows < (uint64_t)limit)) {
		rc = lines_next(in, &line, err);
		if (rc == 0)
			break;
		if (rc == 1)
			rc = r->seen++ < (uint64_t)skip ? 0 : read_row(r, &line, err);
		cmd_progress(r->rows, ", %llu bad", (unsigned long long)r->bad);
	}
	r->whole &= !limit || r->rows < (uint64_t)limit;
	lines_close(in);
	return rc;
}

/* ---- the end */

/* What END tells: which input, and why rows were dropped. */
static int finish_stream(struct run *r, const char *reasons, struct err *err)
{
	struct meta extra = META_INIT;
	uint8_t digest[32];
	char hex[65];
	int rc = 0;

	if (r->whole) {
		sha256_finish(&r->input, digest);
		sha256_hex(digest, hex);
		rc = meta_set(&extra, "input.sha256", hex, err);
	}
	if (rc == 0 && r->bad)
		rc = meta_set(&extra, "dropped.reasons", reasons, err);
	if (rc == 0)
		rc = prefwriter_finish(r->stream, NULL, r->bad, 0, &extra, err);
	meta_release(&extra);
	return rc;
}

static int judge(const struct run *r, const char *reasons, struct err *err)
{
	if (r->bad > (uint64_t)max_bad)
		return err_set(err, ERR_FAILED, "%llu bad rows of %llu (%s); --max-bad is %lld",
			(unsigned long long)r->bad, (unsigned long long)r->rows, reasons,
			(long long)max_bad);
	if (!r->rows)
		return err_set(err, ERR_FAILED, "no rows in the input");
	if (!r->kept)
		return err_set(
			err, ERR_FAILED, "no row is left of %llu", (unsigned long long)r->rows);
	return 0;
}

static int finish(struct run *r, struct err *err)
{
	struct buf reasons = BUF_INIT;
	int rc;

	put_reasons(&reasons, r);
	rc = buf_check(&reasons, err);
	if (rc == 0 && rejects)
		rc = flush(&r->reject, &r->rejects, 0, err) || outfile_commit(&r->rejects, err);
	if (rc == 0)
		rc = judge(r, reasons.data, err);
	if (rc == 0 && r->stream)
		rc = finish_stream(r, reasons.data, err);
	else if (rc == 0)
		rc = flush(&r->text, &r->json, 0, err) || outfile_commit(&r->json, err);
	if (rc == 0 && r->bad)
		cmd_say("%llu bad rows of %llu were dropped: %s", (unsigned long long)r->bad,
			(unsigned long long)r->rows, reasons.data);
	if (rc == 0 && r->turns)
		cmd_say("%llu rows have completions that go on over turns of the user, which are "
			"trained on too",
			(unsigned long long)r->turns);
	buf_release(&reasons);
	return rc ? -1 : 0;
}

static int work(struct run *r, char **files, int n, struct err *err)
{
	char standard_input[] = "-", *alone[] = {standard_input};
	int rc = 0;

	if (!n) {
		files = alone;
		n = 1;
	}
	if (rejects)
		rc = outfile_open(&r->rejects, rejects, err);
	cmd_progress_start("rows", 0);
	for (int i = 0; i < n && rc == 0; i++)
		rc = read_file(r, files[i], err);
	cmd_progress_end();
	return rc ? rc : finish(r, err);
}

int main(int argc, char **argv)
{
	struct run r = {
		.how.render = dialogue_render,
		.whole = true,
		.json.fd = -1,
		.rejects.fd = -1,
	};
	struct err err = ERR_INIT;
	int first, rc;

	for (size_t i = 0; layout_at(i); i++)
		formats[i] = layout_at(i)->name;
	first = cmd_parse(&cmd, argc, argv);
	if (as_json)
		cmd_refuse("with --jsonl", "stored", "level", "threads", "no-prov", NULL);
	if (rejects && !strcmp(rejects, io.output))
		cmd_usage("--rejects and the output are both '%s'", rejects);
	r.how.forced = format >= 0;
	sha256_init(&r.input);
	rc = work(&r, argv + first, argc - first, &err);
	prefwriter_close(r.stream);
	outfile_close(&r.json);
	outfile_close(&r.rejects);
	buf_release(&r.text);
	buf_release(&r.reject);
	buf_release(&r.meta);
	arena_release(&r.arena);
	if (rc)
		cmd_die(&err);
	return 0;
}
