#include "text/tokenizer.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "io/file.h"
#include "io/json.h"
#include "io/modeldir.h"
#include "text/added.h"
#include "text/normalize.h"
#include "text/pretokenize.h"
#include "text/source.h"
#include "text/tokenizer_impl.h"

#define FILE_MAX ((size_t)1 << 28)

/* ---- added tokens */

struct entry {
	const struct json *json;
	struct added_token token;
	bool normalized, special;
};

/* Entries by id: of two with the same id the later one counts. */
struct entries {
	struct entry *v;
	size_t n, cap;
	struct vocab by_id; /* the id's bytes to an index */
};

static int load_flag(
	const struct json *v, const char *name, bool absent, bool *out, struct err *err)
{
	const struct json *value = json_get(v, name);

	*out = absent;
	if (!value || json_bool(value, out))
		return 0;
	return err_set(err, ERR_CORRUPT, "added token '%s': %s is neither true nor false",
		json_text(json_get(v, "content")), name);
}

static int32_t added_id(const struct tokenizer *t, const char *content, size_t n)
{
	int32_t id = vocab_get(&t->added, content, n);

	return id >= 0 ? id : vocab_get(wordmodel_vocab(t->model), content, n);
}

static int put_entry(struct entries *entries, struct entry entry, struct err *err)
{
	const char *key = (const char *)&entry.token.id;
	int32_t at = vocab_get(&entries->by_id, key, sizeof entry.token.id);

	if (at >= 0) {
		entries->v[at] = entry;
		return 0;
	}
	if (mem_grow(&entries->v, &entries->cap, entries->n + 1, sizeof *entries->v, err) ||
		vocab_put(&entries->by_id, key, sizeof entry.token.id, (int32_t)entries->n, err))
		return -1;
	entries->v[entries->n++] = entry;
	return 0;
}

/*
 * The id is the one in the vocabulary; for a token that is not there, the next after the
 * vocabulary's size, whatever the file says.
 */
static int load_token(struct tokenizer *t, const struct json *v, int32_t *next,
	struct entries *entries, struct err *err)
{
	struct entry entry = {.json = v};
	int64_t declared;
	size_t n;
	const char *content = json_string(json_get(v, "content"), &n);

	if (!content)
		return err_set(err, ERR_CORRUPT, "an added token without content");
	if (load_flag(v, "special", false, &entry.special, err) ||
		load_flag(v, "single_word", false, &entry.token.single_word, err) ||
		load_flag(v, "lstrip", false, &entry.token.lstrip, err) ||
		load_flag(v, "rstrip", false, &entry.token.rstrip, err) ||
		load_flag(v, "normalized", !entry.special, &entry.normalized, err))
		return -1;
	if (!n)
		return 0;
	entry.token.id = added_id(t, content, n);
	if (entry.token.id < 0) {
		if (*next == INT32_MAX)
			return err_set(err, ERR_LIMIT, "more than %d tokens", INT32_MAX);
		entry.token.id = (*next)++;
	}
	if (json_int(json_get(v, "id"), &declared) && entry.token.id != declared && !t->warning.len)
		buf_add_fmt(&t->warning, "the added token '%s' gets the id %d, not %lld", content,
			entry.token.id, (long long)declared);
	if (vocab_put(&t->added, content, n, entry.token.id, err))
		return -1;
	return put_entry(entries, entry, err);
}

static int put_token(struct tokenizer *t, const struct entry *entry, struct normalize_work *w,
	struct matcher *m, struct err *err)
{
	struct places ignored = {.at = {0}};
	size_t n;
	const char *content = json_string(json_get(entry->json, "content"), &n);

	if (entry->normalized && normalize_run(t->normalize, w, m, &content, &n, &ignored, err))
		return -1;
	if (texts_put(&t->texts, entry->token.id, content, n, entry->special, err))
		return -1;
	if (!entry->normalized)
		return added_put(&t->raw, content, n, entry->token, err);
	if (!n)
		return 0; /* there is nothing to find */
	return added_put(&t->normalized, content, n, entry->token, err);
}

static int load_added(struct tokenizer *t, const struct json *list, struct err *err)
{
	struct entries entries = {.by_id = VOCAB_INIT};
	struct normalize_work w = NORMALIZE_WORK_INIT;
	struct matcher *m = matcher_new(err);
	int32_t next = (int32_t)wordmodel_size(t->model);
	int result = m ? 0 : -1;

	for (const struct json *v = json_first(list); v && result == 0; v = json_next(v))
		result = load_token(t, v, &next, &entries, err);
	for (size_t i = 0; i < entries.n && result == 0; i++)
		result = put_token(t, &entries.v[i], &w, m, err);
	matcher_free(m);
	normalize_work_release(&w);
	vocab_release(&entries.by_id);
	free(entries.v);
	return result;
}

/* ---- the post-processor */

static int load_special(
	struct ids *ids, const struct json *known, const char *name, struct err *err)
{
	const struct json *list = json_get(json_get(known, name), "ids");
	int64_t id;

	if (json_kind(list) != JSON_ARRAY)
		return err_set(err, ERR_CORRUPT, "'%s' is not among special_tokens", name);
	for (const struct json *v = json_first(list); v; v = json_next(v)) {
		if (!json_int(v, &id) || id < 0 || id >= INT32_MAX)
			return err_set(err, ERR_CORRUPT, "an id of '%s' is no number from 0 to %d",
				name, INT32_MAX - 1);
		if (ids_add(ids, (int32_t)id, err))
			return -1;
	}
	return 0;
}

static int load_template(struct tokenizer *t, const struct json *v, struct err *err)
{
	const char *sequence, *special;
	bool text = false;

	if (json_kind(json_get(v, "single")) != JSON_ARRAY)
		return err_set(err, ERR_CORRUPT, "single is no list");
	for (const struct json *p = json_first(json_get(v, "single")); p; p = json_next(p)) {
		sequence = json_text(json_get(json_get(p, "Sequence"), "id"));
		special = json_text(json_get(json_get(p, "SpecialToken"), "id"));
		if (sequence && !strcmp(sequence, "A") && !text)
			text = true;
		else if (sequence)
			return err_set(err, ERR_FAILED,
				"single with another sequence than one A is not supported");
		else if (!special)
			return err_set(
				err, ERR_CORRUPT, "single: neither a Sequence nor a SpecialToken");
		else if (load_special(text ? &t->after : &t->before, json_get(v, "special_tokens"),
				 special, err))
			return -1;
	}
	return text ? 0 : err_set(err, ERR_FAILED, "single without a sequence is not supported");
}

/* ["[CLS]",101] */
static int load_pair(struct ids *ids, const struct json *v, const char *name, struct err *err)
{
	int64_t id;

	v = json_get(v, name);
	if (!json_int(json_next(json_first(v)), &id) || id < 0 || id >= INT32_MAX)
		return err_set(err, ERR_CORRUPT, "%s is not [\"token\",id]", name);
	return ids_add(ids, (int32_t)id, err);
}

/* *found: a template has been loaded; a second one is refused. */
static int load_processor(struct tokenizer *t, const struct json *v, bool *found, struct err *err)
{
	const char *type = json_text(json_get(v, "type"));
	const struct json *list = json_get(v, "processors");
	int result;

	if (json_kind(v) == JSON_NONE || json_kind(v) == JSON_NULL)
		return 0;
	if (!type)
		return err_set(err, ERR_CORRUPT, "a post_processor without a type");
	if (!strcmp(type, "ByteLevel"))
		return 0;
	if (!strcmp(type, "Sequence") && json_kind(list) == JSON_ARRAY) {
		for (v = json_first(list); v; v = json_next(v))
			if (load_processor(t, v, found, err))
				return -1;
		return 0;
	}
	if (*found)
		return err_set(err, ERR_FAILED,
			"post_processor '%s': a second template is not supported", type);
	*found = true;
	if (!strcmp(type, "TemplateProcessing"))
		result = load_template(t, v, err);
	else if (!strcmp(type, "BertProcessing") || !strcmp(type, "RobertaProcessing"))
		result = load_pair(&t->before, v, "cls", err) || load_pair(&t->after, v, "sep", err);
	else
		result = err_set(err, ERR_FAILED, "not supported");
	return result ? err_at(err, "post_processor '%s'", type) : 0;
}

/* ---- tokenizer_config.json */

static int32_t load_named(const struct tokenizer *t, const struct json *config, const char *name,
	const char **text, size_t *n)
{
	const struct json *v = json_get(config, name);

	*n = 0;
	*text = json_string(json_kind(v) == JSON_OBJECT ? json_get(v, "content") : v, n);
	return *text ? tokenizer_id(t, *text, *n) : -1;
}

/* The post-processor that transformers builds for these classes. */
static int load_class(struct tokenizer *t, const struct json *config, struct err *err)
{
	static const char *const classes[] = {"LlamaTokenizer", "LlamaTokenizerFast",
		"CodeLlamaTokenizer", "CodeLlamaTokenizerFast", "GemmaTokenizer",
		"GemmaTokenizerFast", "CohereTokenizer", "CohereTokenizerFast"};
	const char *class = json_text(json_get(config, "tokenizer_class"));
	bool bos = true, eos = false, listed = false;
	bool has_bos = json_bool(json_get(config, "add_bos_token"), &bos);
	bool has_eos = json_bool(json_get(config, "add_eos_token"), &eos);

	for (size_t i = 0; class && i < sizeof classes / sizeof *classes; i++)
		listed = listed || !strcmp(class, classes[i]);
	if (!listed || !(has_bos || has_eos))
		return 0;
	if ((bos && t->bos < 0) || (eos && t->eos < 0))
		return err_set(err, ERR_CORRUPT, "%s is set, and there is no such token",
			bos && t->bos < 0 ? "add_bos_token" : "add_eos_token");
	t->before.n = t->after.n = 0;
	if ((bos && ids_add(&t->before, t->bos, err)) || (eos && ids_add(&t->after, t->eos, err)))
		return -1;
	return 0;
}

static int use_config(struct tokenizer *t, const struct json *config, struct err *err)
{
	const char *text;
	size_t n;

	t->bos = load_named(t, config, "bos_token", &text, &n);
	t->eos = load_named(t, config, "eos_token", &text, &n);
	buf_add(&t->eos_text, text, n);
	if (buf_check(&t->eos_text, err))
		return -1;
	return load_class(t, config, err) ? err_at(err, "tokenizer_config.json") : 0;
}

/* The file, where there is one. */
static int read_config(const char *folder, struct json **config, struct err *err)
{
	char *path = path_join(folder, "tokenizer_config.json", err);
	int result = path ? 0 : -1;

	*config = NULL;
	if (path && access(path, F_OK) == 0) {
		*config = json_load(path, FILE_MAX, err);
		result = *config ? 0 : -1;
	}
	free(path);
	return result;
}

/* ---- all of it */

static int load_texts(struct tokenizer *t, struct err *err)
{
	const struct vocab *v = wordmodel_vocab(t->model);

	for (size_t i = 0; v->slots && i <= v->mask; i++) {
		const struct vocab_slot *slot = &v->slots[i];

		if (slot->id >= 0 && texts_put(&t->texts, slot->id, v->keys + slot->at, slot->n, false, err))
			return -1;
	}
	return 0;
}

static int load_parts(struct tokenizer *t, const struct json *v, struct err *err)
{
	const struct json *model = json_get(v, "model");
	const char *version = json_text(json_get(v, "version"));
	bool found = false;

	if (version && strcmp(version, "1.0"))
		return err_set(err, ERR_FAILED, "version '%s' is not supported", version);
	if (json_kind(model) != JSON_OBJECT)
		return err_set(err, ERR_CORRUPT, "no model");
	t->normalize = normalize_new(json_get(v, "normalizer"), err);
	t->pretokenize = t->normalize ? pretokenize_new(json_get(v, "pre_tokenizer"), err) : NULL;
	t->model = t->pretokenize ? wordmodel_new(model, err) : NULL;
	t->decode = t->model ? decode_new(json_get(v, "decoder"), err) : NULL;
	if (!t->decode || load_texts(t, err))
		return -1;
	t->byte_level = pretokenize_is_byte_level(t->pretokenize);
	if (load_added(t, json_get(v, "added_tokens"), err) ||
		load_processor(t, json_get(v, "post_processor"), &found, err))
		return -1;
	if (json_kind(json_get(v, "truncation")) == JSON_OBJECT ||
		json_kind(json_get(v, "padding")) == JSON_OBJECT)
		buf_add_fmt(&t->warning, "%sits truncation and padding are not applied",
			t->warning.len ? "; " : "");
	return t->warning.failed ? buf_check(&t->warning, err) : 0;
}

static int load_source(struct tokenizer *t, const char *folder, const struct json *config, struct err *err)
{
	struct buf text = BUF_INIT;
	struct json *v = NULL;
	const char *name;
	int result = -1;

	if (source_read(folder, config, &text, &name, err) == 0)
		v = json_parse(text.data, text.len, err);
	buf_release(&text);
	if (v)
		result = load_parts(t, v, err);
	json_free(v);
	return result ? err_at(err, *name ? "%s/%s" : "%s", folder, name) : 0;
}

struct tokenizer *tokenizer_load(const char *folder, struct err *err)
{
	struct tokenizer *t = mem_new(1, sizeof *t, err);
	struct json *config = NULL;
	int result;

	if (!t)
		return NULL;
	t->added = (struct vocab)VOCAB_INIT;
	t->raw = t->normalized = (struct added)ADDED_INIT;
	t->bos = t->eos = -1;
	result = read_config(folder, &config, err) || load_source(t, folder, config, err) ||
		 modeldir_tokenizer_sha256(folder, t->sha256, err);
	if (result == 0 && config && use_config(t, config, err))
		result = err_at(err, "%s", folder);
	json_free(config);
	if (result) {
		tokenizer_free(t);
		return NULL;
	}
	return t;
}

void tokenizer_free(struct tokenizer *t)
{
	if (!t)
		return;
	normalize_free(t->normalize);
	pretokenize_free(t->pretokenize);
	wordmodel_free(t->model);
	decode_free(t->decode);
	texts_release(&t->texts);
	vocab_release(&t->added);
	added_release(&t->raw);
	added_release(&t->normalized);
	ids_release(&t->before);
	ids_release(&t->after);
	buf_release(&t->warning);
	buf_release(&t->eos_text);
	free(t);
}

const char *tokenizer_warning(const struct tokenizer *t)
{
	return t->warning.len ? t->warning.data : NULL;
}

int32_t tokenizer_vocab(const struct tokenizer *t)
{
	int32_t model = wordmodel_vocab(t->model)->largest;

	return (model > t->added.largest ? model : t->added.largest) + 1;
}

int32_t tokenizer_bos(const struct tokenizer *t)
{
	return t->bos;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
	return t->eos;
}

const char *tokenizer_eos_text(const struct tokenizer *t, size_t *n)
{
	*n = t->eos < 0 ? 0 : t->eos_text.len;
	return *n ? t->eos_text.data : "";
}

size_t tokenizer_leading(const struct tokenizer *t)
{
	return t->before.n;
}

int32_t tokenizer_id(const struct tokenizer *t, const char *content, size_t n)
{
	return added_id(t, content, n);
}

const char *tokenizer_sha256(const struct tokenizer *t)
{
	return t->sha256;
}
