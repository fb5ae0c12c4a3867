#include "cmd/cmd_completions.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/json.h"

#define FLUSH ((size_t)1 << 16)

int cmd_completions_open_stream(struct cmd_completions *c, const char *path, const struct meta *meta, int64_t vocab,
	bool sums, int k, const struct tswriter_options *how, struct err *err)
{
	c->path = path;
	c->schema = (struct pref_schema){.meta = true, .vocab = vocab};
	c->skip = mem_new((size_t)k, sizeof *c->skip, err);
	if (!c->skip || pref_schema_add(&c->schema, "sample", !sums, err))
		return -1;
	c->stream = prefwriter_open(path, meta, &c->schema, how, err);
	return c->stream ? 0 : -1;
}

int cmd_completions_open_json(struct cmd_completions *c, const char *path, const struct tokenizer *t,
	const struct stops *stops, struct err *err)
{
	c->path = path;
	c->stops = stops;
	c->decode = prefdecode_new(t, 0, err);
	return c->decode ? outfile_open(&c->file, path, err) : -1;
}

/* "finish":["eos","length"] */
static void put_finish(struct buf *out, const struct generated *g)
{
	static const char *const names[] = {
		[GENERATE_EOS] = "eos", [GENERATE_STOP] = "stop", [GENERATE_LENGTH] = "length"};

	buf_add_str(out, "\"finish\":[");
	for (int i = 0; i < g->k; i++)
		buf_add_fmt(out, "%s\"%s\"", i ? "," : "", names[g->end[i]]);
	buf_add_char(out, ']');
}

/* The prompt's other fields with how completions ended; the record may be of samples itself. */
static int put_meta(struct cmd_completions *c, const struct cmd_asked *asked, const struct generated *g, struct err *err)
{
	struct json *fields = asked->meta ? json_parse(asked->meta, asked->meta_len, err) : NULL;

	if (asked->meta && !fields)
		return err_at(err, "record %016llx: meta", (unsigned long long)g->id);
	buf_clear(&c->meta);
	buf_add_char(&c->meta, '{');
	put_finish(&c->meta, g);
	for (const struct json *v = json_first(fields); v; v = json_next(v)) {
		if (!strcmp(json_key(v), "finish"))
			continue;
		buf_add_char(&c->meta, ',');
		json_quote(&c->meta, json_key(v), strlen(json_key(v)));
		buf_add_char(&c->meta, ':');
		json_write(&c->meta, v);
	}
	buf_add_char(&c->meta, '}');
	json_free(fields);
	return buf_check(&c->meta, err);
}

static int put_json(struct cmd_completions *c, const struct cmd_asked *asked, const struct generated *g,
	const struct pref_rec *rec, struct err *err)
{
	struct buf *out = &c->text;
	struct pref_rec said;

	if (prefdecode_record(c->decode, rec, &said, err))
		return -1;
	buf_add_fmt(out, "{\"id\":\"%016llx\",\"prompt\":", (unsigned long long)g->id);
	json_quote(out, asked->text ? asked->text : said.text, asked->text ? asked->text_len : (size_t)pref_len(&said, 0));
	buf_add_str(out, ",\"completions\":[");
	for (int i = 0; i < g->k; i++) {
		const char *text = said.text + said.seg[i + 1];
		size_t n = (size_t)pref_len(&said, i + 1);

		buf_add_str(out, i ? "," : "");
		json_quote(out, text, g->end[i] == GENERATE_STOP ? stops_find(c->stops, text, n) : n);
	}
	buf_add_str(out, "],");
	put_finish(out, g);
	for (int i = 0; i < g->k; i++) {
		buf_add_str(out, i ? "," : ",\"logp\":[");
		json_put_number(out, (double)g->logp[i]);
	}
	buf_add_char(out, ']');
	if (asked->meta) {
		buf_add_str(out, ",\"meta\":");
		buf_add(out, asked->meta, asked->meta_len);
	}
	buf_add_str(out, "}\n");
	return buf_check(out, err);
}

static int flush(struct cmd_completions *c, size_t least, struct err *err)
{
	if (c->text.len < least)
		return 0;
	if (fd_write(c->file.fd, c->text.data, c->text.len, err))
		return err_at(err, "%s", c->path);
	buf_clear(&c->text);
	return 0;
}

int cmd_completions_add(struct cmd_completions *c, const struct generated *g, struct err *err)
{
	struct cmd_asked *asked = g->tag;
	struct pref_rec rec = {.id = g->id, .k = g->k, .seg = g->seg, .tokens = g->token, .skip = c->skip,
		.logp = {g->logp}, .tlogp = {g->tlogp}};
	int rc;

	if (!c->stream) {
		rc = put_json(c, asked, g, &rec, err) || flush(c, FLUSH, err) ? -1 : 0;
	} else {
		rc = put_meta(c, asked, g, err);
		rec.meta = c->meta.data;
		rec.meta_len = c->meta.len;
		rc = rc || prefwriter_add(c->stream, &rec, err) ? -1 : 0;
	}
	free(asked);
	return rc;
}

int cmd_completions_finish(struct cmd_completions *c, const struct tstotals *input, struct err *err)
{
	if (c->stream)
		return prefwriter_finish(c->stream, input, 0, 0, NULL, err);
	return flush(c, 0, err) || outfile_commit(&c->file, err) ? -1 : 0;
}

void cmd_completions_close(struct cmd_completions *c)
{
	prefwriter_close(c->stream);
	outfile_close(&c->file);
	prefdecode_free(c->decode);
	buf_release(&c->text);
	buf_release(&c->meta);
	free(c->skip);
	*c = (struct cmd_completions)CMD_COMPLETIONS_INIT;
}
