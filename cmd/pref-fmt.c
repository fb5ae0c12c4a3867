/* pref-fmt: preference data of any known layout to a stream of text records or to JSON lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/cmd_records.h"
#include "cmd/cmd_render.h"
#include "cmd/cmd_rows.h"
#include "text/dialogue.h"
#include "text/probes.h"
#include "text/survey.h"
#include "text/template.h"

/* Bad rows that are named; the others are counted. */
#define MAX_NAMED 20

#define FLUSH ((size_t)1 << 16)
#define MAX_MAPS CMD_MAX_STRINGS

static struct cmd_stream io = CMD_STREAM_INIT;
static const char *formats[64];
static int format = -1, pairs, invalid;
static bool as_json, keep_meta, chat, mark_data, render, probes;
static int64_t max_bad, skip, limit;
static double split = -1;
static const char *rejects, *rest, *report, *held_out, *model, *now_text;
static struct template_options template_how;
static struct cmd_strings maps, mins, reject_codes, keep_codes;

static const char *const invalid_names[] = {"refuse", "replace", NULL};

static const struct cmd_option options[] = {
	{'f', "format", "NAME", CMD_CHOICE, &format, .choices = formats,
		.help = "the rows' layout (default: by the first row of each file)"},
	{0, "map", "KEY=PATH", CMD_STRINGS, &maps, .help = "where a layout's key is found; again for more"},
	{'m', "model", "MODEL", CMD_PATH, &model, .help = "folder with a chat template and special tokens"},
	{'t', "template-file", "FILE", CMD_PATH, &template_how.file, .help = "a chat template"},
	{0, "template", "NAME", CMD_STRING, &template_how.name, .help = "the model's template of that name"},
	{0, "template-kwargs", "JSON", CMD_STRING, &template_how.kwargs, .help = "an object of template variables"},
	{0, "bos", "TEXT", CMD_STRING, &template_how.bos, .help = "the template's bos_token"},
	{0, "eos", "TEXT", CMD_STRING, &template_how.eos, .help = "the template's eos_token"},
	{0, "now", "DATE", CMD_STRING, &now_text, .help = "the template's time: YYYY-MM-DD (default: now)"},
	{0, "mark-data", 0, CMD_FLAG, &mark_data, .help = "special tokens within messages stay text"},
	{0, "chat", 0, CMD_FLAG, &chat, .help = "rows of text are messages: user's, then assistant's"},
	{0, "pairs", "HOW", CMD_CHOICE, &pairs, .choices = pairs_names,
		.help = "of rankings: none (default), best-worst, adjacent, all"},
	{0, "probes", 0, CMD_FLAG, &probes, .help = "give each labelled completion a probe for KTO's KL"},
	{0, "min", "FIELD=X", CMD_STRINGS, &mins, .help = "pass over rows whose field is less; again for more"},
	{0, "reject", "CODE,...", CMD_STRINGS, &reject_codes, .help = "count these notes as bad; or 'all'"},
	{0, "keep", "CODE,...", CMD_STRINGS, &keep_codes, .help = "put up with empty, identical or both"},
	{0, "held-out", "FILE", CMD_PATH, &held_out, .help = "note rows whose prompt is in that file"},
	{0, "split", "X", CMD_REAL, &split, 0, 1, .help = "keep that share of prompts, 0 to 1"},
	{0, "rest", "FILE", CMD_PATH, &rest, .private = true, .help = "write the other prompts' records there"},
	{0, "jsonl", 0, CMD_FLAG, &as_json, .private = true, .help = "write JSON lines instead of a stream"},
	{0, "keep-meta", 0, CMD_FLAG, &keep_meta, .help = "keep the rows' other fields, as JSON"},
	{0, "invalid", "HOW", CMD_CHOICE, &invalid, .choices = invalid_names,
		.help = "what is not Unicode: refuse the row (default), replace it by U+FFFD"},
	{0, "max-bad", "N", CMD_INT, &max_bad, 0, 0x1p53, .help = "bad rows to put up with (default 0)"},
	{0, "rejects", "FILE", CMD_PATH, &rejects, .private = true,
		.help = "write bad rows there, with file, line and reason"},
	{0, "report", "FILE", CMD_PATH, &report, .private = true, .help = "write counts, examples and statistics there"},
	{0, "skip", "N", CMD_INT, &skip, 0, 0x1p53, .help = "pass over the first N rows, unchecked"},
	{0, "limit", "N", CMD_INT, &limit, 1, 0x1p53, .help = "stop after N rows, good or bad"},
	{0, "render", 0, CMD_FLAG, &render, .help = "render JSON lines of template variables"},
	{'o', "output", "FILE", CMD_PATH, &io.output, .private = true, .help = "write there (default: stdout)"},
	{'u', "stored", 0, CMD_FLAG, &io.stored, .private = true, .help = "store blocks uncompressed"},
	{'l', "level", "N", CMD_INT, &io.level, 0, 9, .private = true, .help = "compression level (default 1)"},
	{0, "no-prov", 0, CMD_FLAG, &io.no_prov, .private = true, .help = "leave provenance out of the header"},
	{'@', "threads", "N", CMD_INT, &io.threads, 1, 1024, .private = true,
		.help = "threads (default: one a processor)"},
	CMD_QUIET_OPTIONS,
	{0},
};

static const struct cmd cmd = {
	"pref-fmt",
	"[-quv] [-@ N] [-f NAME] [-l N] [-m MODEL] [-o FILE] [-t FILE] [--bos TEXT] [--chat] [--eos TEXT] "
	"[--held-out FILE] [--invalid refuse|replace] [--jsonl] [--keep CODE,...] [--keep-meta] [--limit N] [--map KEY=PATH] [--mark-data] "
	"[--max-bad N] [--min FIELD=X] [--no-prov] [--now DATE] [--pairs none|best-worst|adjacent|all] "
	"[--probes] [--reject CODE,...] [--rejects FILE] [--report FILE] [--rest FILE] [--skip N] [--split X] "
	"[--template NAME] [--template-kwargs JSON] [FILE ...]\n"
	"--render -m MODEL | -t FILE [-qv] [-o FILE] [--bos TEXT] [--eos TEXT] [--now DATE] [--template NAME] "
	"[--template-kwargs JSON] [FILE ...]\n",
	options,
};

struct run {
	struct compile_options how;
	struct layout_map map[MAX_MAPS];
	struct compile_min min[MAX_MAPS];
	struct specials specials;
	struct template *template;
	struct tm now;

	const struct layout *first; /* of all files: what the output can hold */
	const char *first_file;
	struct cmd_records out, rest;
	struct probes probes[2]; /* of the output, of the rest */
	struct outfile rejects;
	struct buf reject;
	struct survey survey;
	struct sha256 input;
	uint64_t elsewhere; /* records that went to the rest */
};

/* ---- options that need more than a table */

/* "KEY=VALUE": the length of KEY. */
static size_t key_of(const char *option, const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text || !equals[1])
		cmd_usage("--%s: '%s' is not of the form %s", option, text, strcmp(option, "min") ? "KEY=PATH" : "FIELD=X");
	return (size_t)(equals - text);
}

/* The zero-terminated copy of n bytes, for as long as the program runs. */
static const char *copy(const char *s, size_t n)
{
	char *to = strndup(s, n);

	if (!to)
		cmd_usage("out of memory");
	return to;
}

static void set_maps(struct run *r)
{
	for (size_t i = 0; i < maps.n; i++) {
		size_t n = key_of("map", maps.v[i]);

		r->map[i] = (struct layout_map){copy(maps.v[i], n), maps.v[i] + n + 1};
	}
	r->how.how.map = r->map;
	r->how.how.nmap = maps.n;
	for (size_t i = 0; i < mins.n; i++) {
		size_t n = key_of("min", mins.v[i]);
		char *end;

		r->min[i] = (struct compile_min){copy(mins.v[i], n), strtod(mins.v[i] + n + 1, &end)};
		if (*end)
			cmd_usage("--min: '%s' is no number", mins.v[i] + n + 1);
	}
	r->how.min = r->min;
	r->how.nmin = mins.n;
}

/* Calls set() with each code of the lists; codes of another class than the one due are mistakes. */
static void each_code(const char *option, const struct cmd_strings *lists, enum fault_class due,
	void (*set)(struct run *r, enum fault_code code), struct run *r)
{
	for (size_t i = 0; i < lists->n; i++)
		for (const char *p = lists->v[i]; *p;) {
			size_t n = strcspn(p, ",");
			enum fault_code code = fault_find(p, n);
			bool all = n == 3 && !memcmp(p, "all", 3);

			if (!all && (code == FAULT_CODES || fault_class(code) != due))
				cmd_usage("--%s: '%.*s' is no code that it takes", option, (int)n, p);
			for (enum fault_code c = 0; c < FAULT_CODES; c++)
				if (all ? fault_class(c) == due : c == code)
					set(r, c);
			p += n + (p[n] == ',');
		}
}

static void set_reject(struct run *r, enum fault_code code)
{
	r->survey.reject[code] = true;
}

static void set_keep(struct run *r, enum fault_code code)
{
	if (code == FAULT_EMPTY)
		r->how.how.keep_empty = true;
	else
		r->how.how.keep_identical = true;
}

static void set_now(struct run *r)
{
	const char *end;

	if (!now_text)
		return;
	end = strptime(now_text, "%Y-%m-%d", &r->now);
	if (!end || *end)
		cmd_usage("--now: '%s' is not YYYY-MM-DD", now_text);
	template_how.now = &r->now;
}

/* No two of them the same file. */
static void check_outputs(void)
{
	const struct {
		const char *name, *path;
	} outputs[] = {{"the output", io.output}, {"--rejects", rejects}, {"--rest", rest}, {"--report", report}};

	for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
		for (size_t j = 0; j < i; j++)
			if (outputs[i].path && outputs[j].path && !strcmp(outputs[i].path, outputs[j].path))
				cmd_usage("%s and %s are both '%s'", outputs[i].name, outputs[j].name, outputs[i].path);
}

static void check_options(void)
{
	if (render) {
		static const char because[] = "with --render";

		cmd_refuse(because, "format", "map", "mark-data", "chat", "pairs", "probes", "min", "reject", "keep", "held-out",
			"split", "rest", "jsonl", "invalid", "keep-meta", "max-bad", "rejects", "report", "skip", "limit", "stored",
			"level", "no-prov", "threads", NULL);
		if (!model && !template_how.file)
			cmd_usage("--render needs a template: -m MODEL or -t FILE");
	} else if (!model && !template_how.file) {
		cmd_refuse("without -m MODEL or -t FILE", "template", "template-kwargs", "bos", "eos", "now", NULL);
	}
	if (!model)
		cmd_refuse("without -m MODEL", "mark-data", NULL);
	if (template_how.file)
		cmd_refuse("with -t FILE", "template", NULL);
	if (as_json)
		cmd_refuse("with --jsonl", "stored", "level", "no-prov", "mark-data", "probes", NULL);
	if (rest && split < 0)
		cmd_refuse("without --split", "rest", NULL);
	check_outputs();
}

/* ---- the output */

static int open_template(struct run *r, struct err *err)
{
	template_how.folder = model;
	template_how.mark = mark_data ? &r->specials : NULL;
	r->template = template_open(&template_how, err);
	if (!r->template)
		return -1;
	r->how.how.render = template_render_row;
	r->how.how.context = r->template;
	if (template_tells_time(r->template) && !now_text)
		cmd_say("the template may write today's date; --now fixes it");
	return 0;
}

/* Which renderer; options that then have no effect are errors. */
static int choose_renderer(struct run *r, const char *file, struct err *err)
{
	bool messages = r->first->chat || chat;

	r->how.how.render = dialogue_render;
	if (messages && (model || template_how.file))
		return open_template(r, err);
	if (messages)
		cmd_say("%s: messages are rendered as plain dialogue, 'Human:' and 'Assistant:'", file);
	else if (template_how.file || mark_data || template_how.name || template_how.kwargs || template_how.bos ||
		 template_how.eos || now_text)
		return err_set(err, ERR_USAGE,
			"layout '%s' is text, which no template is applied to; --chat makes messages of it",
			r->first->name);
	return 0;
}

static int add_record(void *context, const struct pref_rec *rec, struct err *err)
{
	return cmd_records_add(context, rec, err);
}

static int open_output(struct run *r, const char *file, struct err *err)
{
	struct tswriter_options how = cmd_writer_options(&io);
	struct pref_schema schema = {
		.text = true, .label = r->first->labelled, .meta = keep_meta, .plain = mark_data};
	struct meta meta = META_INIT;
	int rc = choose_renderer(r, file, err);

	if (rc == 0 && r->template)
		rc = meta_set(&meta, "template.sha256", template_sha256(r->template), err);
	else if (rc == 0 && (r->first->chat || chat))
		rc = meta_set(&meta, "template", DIALOGUE_TEMPLATE, err);
	if (rc == 0)
		rc = cmd_add_prov(&io, &meta, NULL, err);
	if (rc == 0)
		rc = cmd_records_open(&r->out, io.output, as_json, &schema, &meta, &how, err);
	if (rc == 0 && rest)
		rc = cmd_records_open(&r->rest, rest, as_json, &schema, &meta, &how, err);
	probes_init(&r->probes[0], &schema, add_record, &r->out);
	probes_init(&r->probes[1], &schema, add_record, &r->rest);
	meta_release(&meta);
	return rc;
}

static int found(void *context, const char *file, const struct layout *l, struct err *err)
{
	struct run *r = context;

	if (cmd_verbose)
		cmd_say("%s: layout '%s'", file, l->name);
	if (r->first && (r->first->labelled != l->labelled || (r->first->chat != l->chat && !chat)))
		return err_set(err, ERR_MISMATCH, "layout '%s', but %s has '%s': one stream cannot hold both", l->name,
			r->first_file, r->first->name);
	if (r->first)
		return 0;
	r->first = l;
	r->first_file = file;
	return open_output(r, file, err);
}

/* ---- rows */

static int flush_rejects(struct run *r, size_t least, struct err *err)
{
	if (buf_check(&r->reject, err))
		return -1;
	if (r->reject.len < least)
		return 0;
	if (fd_write(r->rejects.fd, r->reject.data, r->reject.len, err))
		return err_at(err, "%s", rejects);
	buf_clear(&r->reject);
	return 0;
}

/* The row as it stood: JSON on one line under "row", or under "text" what is none. */
static int put_reject(struct run *r, const struct cmd_row *row, const struct fault *fault, struct err *err)
{
	struct buf *out = &r->reject;

	buf_add_char(out, '{');
	survey_put_place(&row->place, out);
	buf_add_fmt(out, ",\"reason\":\"%s\",\"detail\":", fault_name(fault->code));
	json_quote(out, fault->text, strlen(fault->text));
	if (fault->code != FAULT_NOT_JSON) {
		buf_add_str(out, ",\"row\":");
		buf_add(out, row->text, row->len);
		for (size_t i = out->len - row->len; !out->failed && i < out->len; i++)
			if (out->data[i] == '\n' || out->data[i] == '\r')
				out->data[i] = ' ';
	} else {
		buf_add_str(out, ",\"text\":");
		json_quote_bytes(out, row->text, row->len);
	}
	buf_add_str(out, "}\n");
	return flush_rejects(r, FLUSH, err);
}

/* "file:12: empty: chosen is empty" */
static void say_fault(const struct survey_place *at, const char *kind, const struct fault *fault)
{
	char element[40] = "";

	if (at->element)
		snprintf(element, sizeof element, " element %llu:", (unsigned long long)at->element);
	cmd_say("%s:%llu:%s %s%s: %s", at->file, (unsigned long long)at->line, element, kind, fault_name(fault->code),
		fault->text);
}

static int reject(struct run *r, const struct cmd_row *row, const struct fault *fault, struct err *err)
{
	if (r->survey.bad <= MAX_NAMED || cmd_verbose)
		say_fault(&row->place, "", fault);
	else if (r->survey.bad == MAX_NAMED + 1)
		cmd_say("further bad rows are only counted (-v names them all)");
	return rejects ? put_reject(r, row, fault, err) : 0;
}

/* Does the record's prompt belong to the share that is kept? By its digest, as anybody may compute it. */
static bool is_kept(const struct pref_rec *rec)
{
	if (split < 0)
		return true;
	return (double)(sha256_id(rec->text + rec->seg[0], (size_t)pref_len(rec, 0)) >> 11) * 0x1p-53 < split;
}

static int write_record(struct cmd_records *to, struct probes *by, const struct pref_rec *rec, struct err *err)
{
	return probes ? probes_add(by, rec, err) : cmd_records_add(to, rec, err);
}

static int put_record(struct run *r, const struct cmd_row *row, struct compiled_record *record, struct err *err)
{
	struct fault why;
	int rc = survey_record(&r->survey, &row->place, &record->rec, &record->lint, &why, err);

	if (rc < 1)
		return rc < 0 ? -1 : reject(r, row, &why, err);
	for (size_t i = 0; cmd_verbose && i < record->lint.n; i++)
		say_fault(&row->place, "note: ", &record->lint.note[i]);
	if (is_kept(&record->rec))
		return write_record(&r->out, &r->probes[0], &record->rec, err);
	r->elsewhere++;
	return rest ? write_record(&r->rest, &r->probes[1], &record->rec, err) : 0;
}

static int take(void *context, const struct cmd_row *row, struct err *err)
{
	struct run *r = context;
	const struct compiled *c = &row->compiled;
	int rc = 0;

	r->survey.rows++;
	r->survey.turns += c->n && c->turns;
	for (size_t i = 0; i < c->n && rc == 0; i++)
		rc = put_record(r, row, &c->records[i], err);
	if (!c->n) {
		survey_fault(&r->survey, &row->place, &c->fault);
		if (fault_class(c->fault.code) != FAULT_SKIPPED)
			rc = reject(r, row, &c->fault, err);
	}
	cmd_progress(r->survey.rows, ", %llu bad", (unsigned long long)r->survey.bad);
	return rc;
}

/* ---- rows that are held out */

static int take_held_out(void *context, const struct cmd_row *row, struct err *err)
{
	struct run *r = context;

	for (size_t i = 0; i < row->compiled.n; i++)
		if (survey_hold_out(&r->survey, &row->compiled.records[i].rec, err))
			return -1;
	return 0;
}

/* It must be rendered as the input is, so its layout decides too. */
static int found_held_out(void *context, const char *file, const struct layout *l, struct err *err)
{
	struct run *r = context;
	int rc;

	r->first = l;
	rc = choose_renderer(r, file, err);
	r->first = NULL;
	return rc;
}

static int read_held_out(struct run *r, struct err *err)
{
	struct cmd_rows rows = {.how = &r->how, .layout = format < 0 ? NULL : layout_at((size_t)format),
		.threads = (int)io.threads, .found = found_held_out, .take = take_held_out, .context = r};

	if (cmd_rows_read(&rows, &held_out, 1, err))
		return err_at(err, "--held-out");
	template_free(r->template);
	r->template = NULL;
	return 0;
}

/* ---- the end */

/* What END tells: which input, and why rows were dropped. */
static int finish_output(struct run *r, bool whole, const char *reasons, struct err *err)
{
	struct meta extra = META_INIT;
	uint64_t dropped = r->survey.bad + r->survey.skipped;
	uint8_t digest[32];
	char hex[65];
	int rc = 0;

	if (whole) {
		sha256_finish(&r->input, digest);
		sha256_hex(digest, hex);
		rc = meta_set(&extra, "input.sha256", hex, err);
	}
	if (rc == 0 && dropped)
		rc = meta_set(&extra, "dropped.reasons", reasons, err);
	if (rc == 0 && split >= 0)
		rc = meta_set_int(&extra, "split.rest", (int64_t)r->elsewhere, err);
	if (rc == 0)
		rc = probes_end(&r->probes[0], err) || probes_end(&r->probes[1], err) ? -1 : 0;
	if (rc == 0 && rest)
		rc = cmd_records_finish(&r->rest, dropped, &extra, err);
	if (rc == 0)
		rc = cmd_records_finish(&r->out, dropped, &extra, err);
	meta_release(&extra);
	return rc;
}

static int judge(const struct survey *s, const char *reasons, struct err *err)
{
	if (s->bad > (uint64_t)max_bad)
		return err_set(err, ERR_FAILED, "%llu bad rows of %llu (%s); --max-bad is %lld",
			(unsigned long long)s->bad, (unsigned long long)s->rows, reasons, (long long)max_bad);
	if (!s->rows)
		return err_set(err, ERR_FAILED, "no rows in the input");
	if (!s->kept)
		return err_set(err, ERR_FAILED, "no row is left of %llu", (unsigned long long)s->rows);
	return 0;
}

static int write_report(const struct run *r, struct err *err)
{
	struct outfile f;
	struct buf out = BUF_INIT;
	int rc = 0;

	if (!report)
		return 0;
	survey_put(&r->survey, &out);
	rc = buf_check(&out, err) || outfile_open(&f, report, err) ? -1 : 0;
	if (rc == 0) {
		rc = fd_write(f.fd, out.data, out.len, err) || outfile_commit(&f, err) ? err_at(err, "%s", report) : 0;
		outfile_close(&f);
	}
	buf_release(&out);
	return rc;
}

static void say_counts(const struct survey *s, const char *reasons, const char *notes)
{
	unsigned long long rows = s->rows;

	if (s->turns)
		cmd_say("%llu rows have completions that go on over turns of the user, which are trained on too",
			(unsigned long long)s->turns);
	if (s->noted)
		cmd_say("%llu records of %llu have notes: %s", (unsigned long long)s->noted,
			(unsigned long long)s->kept, notes);
	if (s->bad)
		cmd_say("%llu bad rows of %llu were dropped: %s", (unsigned long long)s->bad, rows, reasons);
	else if (s->skipped)
		cmd_say("%llu rows of %llu were passed over: %s", (unsigned long long)s->skipped, rows, reasons);
}

static int finish(struct run *r, bool whole, struct err *err)
{
	struct buf reasons = BUF_INIT, notes = BUF_INIT;
	int rc;

	survey_put_counts(&r->survey, &reasons, false);
	survey_put_counts(&r->survey, &notes, true);
	rc = buf_check(&reasons, err) || buf_check(&notes, err) || write_report(r, err) ? -1 : 0;
	if (rc == 0 && rejects)
		rc = flush_rejects(r, 0, err) || outfile_commit(&r->rejects, err) ? -1 : 0;
	if (rc == 0)
		rc = judge(&r->survey, reasons.data, err);
	if (rc == 0)
		rc = finish_output(r, whole, reasons.data, err);
	if (rc == 0)
		say_counts(&r->survey, reasons.data, notes.data);
	buf_release(&reasons);
	buf_release(&notes);
	return rc;
}

static int work(struct run *r, char **files, int n, struct err *err)
{
	struct cmd_rows rows = {.how = &r->how, .layout = format < 0 ? NULL : layout_at((size_t)format),
		.unknown = (uint64_t)max_bad, .threads = (int)io.threads, .skip = (uint64_t)skip, .limit = (uint64_t)limit, .digest = &r->input,
		.found = found, .take = take, .context = r};
	int rc = 0;

	if (model && specials_load(&r->specials, model, err))
		return -1;
	r->how.specials = &r->specials;
	if (render)
		return open_template(r, err) ? -1 : cmd_render(r->template, io.output, files, n, err);
	if (rejects)
		rc = outfile_open(&r->rejects, rejects, err);
	if (rc == 0 && held_out)
		rc = read_held_out(r, err);
	cmd_progress_start("rows", 0);
	if (rc == 0)
		rc = cmd_rows_read(&rows, (const char *const *)files, n, err);
	cmd_progress_end();
	return rc ? rc : finish(r, rows.whole, err);
}

int main(int argc, char **argv)
{
	static struct run r = {.out = CMD_RECORDS_INIT, .rest = CMD_RECORDS_INIT, .rejects.fd = -1};
	struct err err = ERR_INIT;
	int first, rc;

	for (size_t i = 0; layout_at(i); i++)
		formats[i] = layout_at(i)->name;
	first = cmd_parse(&cmd, argc, argv);
	check_options();
	survey_init(&r.survey);
	sha256_init(&r.input);
	set_maps(&r);
	set_now(&r);
	each_code("reject", &reject_codes, FAULT_NOTE, set_reject, &r);
	each_code("keep", &keep_codes, FAULT_BAD, set_keep, &r);
	r.how.how.forced = format >= 0;
	r.how.how.chat = chat;
	r.how.pairs = (enum pairs_how)pairs;
	r.how.meta = keep_meta;
	r.how.replace = invalid == 1;
	rc = work(&r, argv + first, argc - first, &err);
	probes_release(&r.probes[0]);
	probes_release(&r.probes[1]);
	cmd_records_close(&r.out);
	cmd_records_close(&r.rest);
	outfile_close(&r.rejects);
	buf_release(&r.reject);
	template_free(r.template);
	specials_release(&r.specials);
	survey_release(&r.survey);
	if (rc)
		cmd_die(&err);
	return 0;
}
