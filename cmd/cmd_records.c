#include "cmd/cmd_records.h"

#include "io/json.h"

#define FLUSH ((size_t)1 << 16)

int cmd_records_open(struct cmd_records *r, const char *path, bool json, const struct pref_schema *schema,
	const struct meta *meta, const struct tswriter_options *how, struct err *err)
{
	*r = (struct cmd_records){.path = path, .json = json, .schema = *schema, .file.fd = -1};
	if (json) {
		r->open = outfile_open(&r->file, path, err) == 0;
	} else {
		r->stream = prefwriter_open(path, meta, &r->schema, how, err);
		r->open = r->stream != NULL;
	}
	return r->open ? 0 : -1;
}

static int flush(struct cmd_records *r, size_t least, struct err *err)
{
	if (buf_check(&r->text, err))
		return -1;
	if (r->text.len < least)
		return 0;
	if (fd_write(r->file.fd, r->text.data, r->text.len, err))
		return err_at(err, "%s", r->path);
	buf_clear(&r->text);
	return 0;
}

static void put_field(struct buf *out, const char *name, const struct pref_rec *rec, int segment)
{
	buf_add_fmt(out, ",\"%s\":", name);
	json_quote(out, rec->text + rec->seg[segment], (size_t)pref_len(rec, segment));
}

/* A line that pref-fmt reads back: chosen and rejected, completion, or completions. */
static void put_json(struct buf *out, const struct pref_rec *rec, const struct pref_schema *s)
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
	if (s->label && rec->k == 1)
		buf_add_fmt(out, ",\"label\":%s", rec->label[0] > 0 ? "true" : "false");
	else if (s->label)
		for (int i = 0; i < rec->k; i++) {
			buf_add_str(out, i ? "," : ",\"scores\":[");
			json_put_float(out, rec->label[i]);
		}
	buf_add_str(out, s->label && rec->k > 1 ? "]" : "");
	if (s->meta) {
		buf_add_str(out, ",\"meta\":");
		buf_add(out, rec->meta, rec->meta_len);
	}
	buf_add_str(out, "}\n");
}

int cmd_records_add(struct cmd_records *r, const struct pref_rec *rec, struct err *err)
{
	if (r->stream)
		return prefwriter_add(r->stream, rec, err);
	put_json(&r->text, rec, &r->schema);
	return flush(r, FLUSH, err);
}

int cmd_records_finish(struct cmd_records *r, uint64_t dropped, const struct meta *extra, struct err *err)
{
	if (r->stream)
		return prefwriter_finish(r->stream, NULL, dropped, 0, extra, err);
	return flush(r, 0, err) || outfile_commit(&r->file, err) ? -1 : 0;
}

void cmd_records_close(struct cmd_records *r)
{
	prefwriter_close(r->stream);
	outfile_close(&r->file);
	buf_release(&r->text);
	*r = (struct cmd_records)CMD_RECORDS_INIT;
}
