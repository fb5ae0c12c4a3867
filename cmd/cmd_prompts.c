#include "cmd/cmd_prompts.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "io/meta.h"

int cmd_prompts_open(struct cmd_prompts *p, const struct tsreader_options *options, struct err *err)
{
	bool text = p->kind != PROMPTS_STREAM;

	if (p->kind == PROMPTS_STREAM) {
		p->stream = prefreader_open(p->paths, p->n, options, err);
		if (!p->stream)
			return err_at(err, "prompts as a stream (text is read by --input jsonl or lines)");
		text = prefreader_schema(p->stream)->text;
		p->rendered = meta_get(prefreader_meta(p->stream), "template.sha256");
	}
	if ((text || p->tokenizes) && !(p->tokenizer = tokenizer_load(p->folder, err)))
		return -1;
	if (text && !(p->encoder = encoder_new(p->tokenizer, err)))
		return -1;
	return 0;
}

void cmd_prompts_close(struct cmd_prompts *p)
{
	prefreader_close(p->stream);
	lines_close(p->lines);
	template_free(p->template);
	encoder_free(p->encoder);
	tokenizer_free(p->tokenizer);
	ids_release(&p->ids);
	arena_release(&p->arena);
}

/*
 * The text's tokens: what the post-processor puts in front, unless a template made the text; nothing behind. plain:
 * where it has no special tokens (io/pref.h), or NULL.
 */
static int encode(struct cmd_prompts *p, struct cmd_prompt *out, const char *text, const uint8_t *plain, size_t n,
	bool rendered, struct err *err)
{
	size_t inside;

	p->ids.n = 0;
	if (utf8_valid_prefix(text, n) < n)
		return err_set(err, ERR_CORRUPT, "byte %zu is not UTF-8", utf8_valid_prefix(text, n));
	if (encoder_encode_at(p->encoder, text, plain, n, n, rendered ? 0 : ENCODE_SPECIAL, &p->ids, &inside, err))
		return -1;
	out->text = text;
	out->len = n;
	out->token = p->ids.v;
	out->n = (int64_t)inside;
	if (out->n >= p->positions)
		return err_set(err, ERR_LIMIT, "a prompt of %lld tokens; the model has %lld positions", (long long)out->n,
			(long long)p->positions);
	return 1;
}

static int next_of_stream(struct cmd_prompts *p, struct cmd_prompt *out, struct err *err)
{
	struct pref_rec rec;
	int rc = prefreader_next(p->stream, &rec, err);

	if (rc != 1)
		return rc;
	*out = (struct cmd_prompt){.id = rec.id, .n = pref_len(&rec, 0), .meta = rec.meta, .meta_len = rec.meta_len};
	if (!rec.text) {
		out->token = rec.tokens + rec.seg[0];
		return 1;
	}
	rc = encode(p, out, rec.text + rec.seg[0], rec.plain ? rec.plain + rec.seg[0] : NULL,
		(size_t)pref_len(&rec, 0), p->rendered, err);
	return rc < 0 ? err_at(err, "record %016llx", (unsigned long long)rec.id) : rc;
}

/* ---- text */

/* Messages by the model's template. */
static int render(struct cmd_prompts *p, const struct json *row, const char *key, struct layout_part *part,
	struct err *err)
{
	struct template_options how = {.folder = p->folder};
	struct layout_row to_render = {.source = row, .parts = part, .chat = true};
	struct fault fault;
	int rc;

	if (!p->template && !(p->template = template_open(&how, err)))
		return -1;
	rc = chat_read(key, json_get(row, key), &part->messages, &part->n, &p->arena, &fault, err);
	if (rc == 1)
		rc = template_render_row(p->template, &to_render, &p->arena, &fault, err);
	return rc == 0 ? err_set(err, ERR_FAILED, "%s", fault.text) : rc < 0 ? -1 : 0;
}

/* Of 16 hexadecimal digits. */
static bool read_id(const struct json *v, uint64_t *id)
{
	size_t n;
	const char *text = json_string(v, &n);

	if (!text || n != 16 || strspn(text, "0123456789abcdef") != 16)
		return false;
	*id = strtoull(text, NULL, 16);
	return true;
}

static int make_id(struct cmd_prompt *out, struct err *err)
{
	const int64_t seg[] = {0, (int64_t)out->len};
	struct pref_rec rec = {.seg = seg, .text = out->text};

	if (pref_make_id(&rec, err))
		return -1;
	out->id = rec.id;
	return 1;
}

/* {"prompt": text or messages} or {"messages": ...}, perhaps with "id". */
static int read_row(struct cmd_prompts *p, const struct json *row, struct cmd_prompt *out, struct err *err)
{
	const struct json *prompt = json_get(row, "prompt");
	struct layout_part part = {.text = json_string(prompt, &part.len)};
	bool rendered = !part.text;

	if (rendered && json_kind(prompt) != JSON_ARRAY && json_kind(json_get(row, "messages")) != JSON_ARRAY)
		return err_set(err, ERR_FAILED, "no 'prompt' that is a string or a list of messages");
	if (rendered && render(p, row, json_kind(prompt) == JSON_ARRAY ? "prompt" : "messages", &part, err))
		return -1;
	/* The row does not last. */
	part.text = arena_copy(&p->arena, part.text, part.len, err);
	if (!part.text || encode(p, out, part.text, NULL, part.len, rendered, err) < 0)
		return -1;
	return read_id(json_get(row, "id"), &out->id) ? 1 : make_id(out, err);
}

static int read_line(struct cmd_prompts *p, const struct lines_record *line, struct cmd_prompt *out, struct err *err)
{
	struct json *row;
	int rc;

	if (p->kind == PROMPTS_LINES)
		return encode(p, out, line->text, NULL, line->len, false, err) < 0 ? -1 : make_id(out, err);
	row = json_parse(line->text, line->len, err);
	rc = row ? read_row(p, row, out, err) : -1;
	json_free(row);
	return rc;
}

static int next_of_text(struct cmd_prompts *p, struct cmd_prompt *out, struct err *err)
{
	struct lines_record line;

	for (;;) {
		const char *path = p->n ? p->paths[p->next < p->n ? p->next : p->n - 1] : "-";
		int rc;

		if (!p->lines && p->next >= (p->n ? p->n : 1))
			return 0;
		if (!p->lines && !(p->lines = lines_open(path, LINES_MAX_RECORD, NULL, err)))
			return -1;
		rc = (p->kind == PROMPTS_LINES ? lines_next_plain : lines_next)(p->lines, &line, err);
		if (rc == 1 && read_line(p, &line, out, err) < 0)
			return err_at(err, "%s:%llu", strcmp(path, "-") ? path : "stdin", (unsigned long long)line.line);
		if (rc)
			return rc;
		lines_close(p->lines);
		p->lines = NULL;
		p->next++;
	}
}

int cmd_prompts_next(struct cmd_prompts *p, struct cmd_prompt *out, struct err *err)
{
	arena_clear(&p->arena);
	*out = (struct cmd_prompt){.n = 0};
	return p->stream ? next_of_stream(p, out, err) : next_of_text(p, out, err);
}
