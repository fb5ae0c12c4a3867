#include "text/source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/file.h"
#include "text/scan.h"
#include "text/source_spm.h"

#define FILE_MAX ((size_t)1 << 28)

/* ---- added tokens */

static void add_token(struct buf *json, size_t start, const struct json *v, bool special)
{
	const char *content;
	size_t n;

	if (json_kind(v) == JSON_OBJECT && json_string(json_get(v, "content"), NULL)) {
		json_bool(json_get(v, "special"), &special);
		buf_add_fmt(json, "%s{\"special\":%s", json->len > start ? "," : "",
			special ? "true" : "false");
		for (const struct json *f = json_first(v); f; f = json_next(f)) {
			if (!strcmp(json_key(f), "special"))
				continue;
			buf_add_char(json, ',');
			json_quote(json, json_key(f), strlen(json_key(f)));
			buf_add_char(json, ':');
			json_write(json, f);
		}
		buf_add_char(json, '}');
	} else if ((content = json_string(v, &n))) {
		buf_add_fmt(json, "%s{\"special\":%s,\"content\":", json->len > start ? "," : "",
			special ? "true" : "false");
		json_quote(json, content, n);
		buf_add_char(json, '}');
	}
}

void source_added(struct buf *json, const char *first, const struct json *config)
{
	static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
		"pad_token", "cls_token", "mask_token"};
	const struct json *list = json_get(config, "added_tokens_decoder");
	size_t start;

	buf_add_str(json, "\"added_tokens\":[");
	start = json->len;
	buf_add_str(json, first ? first : "");
	for (const struct json *v = json_first(list); v; v = json_next(v))
		add_token(json, start, v, false);
	for (size_t i = 0; !list && i < sizeof names / sizeof *names; i++)
		add_token(json, start, json_get(config, names[i]), true);
	list = json_get(config, "additional_special_tokens");
	for (const struct json *v = json_first(list); v; v = json_next(v))
		add_token(json, start, v, true);
	buf_add_char(json, ']');
}

/* ---- vocab.json and merges.txt */

#define BYTE_LEVEL(regex)                                                                          \
	"{\"type\":\"ByteLevel\",\"add_prefix_space\":%s,\"trim_offsets\":true,\"use_"             \
	"regex\":" regex "}"

static void put_gpt2(struct buf *json, const struct json *config)
{
	bool space = false;

	json_bool(json_get(config, "add_prefix_space"), &space);
	buf_add_fmt(json, "\"pre_tokenizer\":" BYTE_LEVEL("true") ",", space ? "true" : "false");
}

static void put_qwen2(struct buf *json)
{
	buf_add_str(json, "\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":"
			  "\"Sequence\",\"pretokenizers\":["
			  "{\"type\":\"Split\",\"pattern\":{\"Regex\":");
	json_quote(json, scan_qwen_regex, strlen(scan_qwen_regex));
	buf_add_fmt(json,
		"},\"behavior\":\"Isolated\",\"invert\":false}," BYTE_LEVEL("false") "]},",
		"false");
}

/* "a b" a line, behind a line with the version. */
static void put_merges(struct buf *json, const struct buf *merges)
{
	const char *at = merges->data, *end = at + merges->len, *stop;
	bool first = true;

	buf_add_str(json, ",\"merges\":[");
	for (; at < end; at = stop + 1) {
		size_t n;

		stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop ? stop : end;
		n = (size_t)(stop - at);
		while (n && (at[n - 1] == '\r' || at[n - 1] == ' '))
			n--;
		if (!n || (n >= 8 && !memcmp(at, "#version", 8)))
			continue;
		if (!first)
			buf_add_char(json, ',');
		json_quote(json, at, n);
		first = false;
	}
	buf_add_char(json, ']');
}

static int put_pair(struct buf *json, const struct buf *vocab, const struct buf *merges,
	const struct json *config, struct err *err)
{
	static const char end[] = "{\"content\":\"<|endoftext|>\",\"special\":true}";
	const char *class = json_text(json_get(config, "tokenizer_class"));

	buf_add_str(json, "{\"version\":\"1.0\",");
	if (!class || !strncmp(class, "GPT2Tokenizer", 13))
		put_gpt2(json, config);
	else if (!strncmp(class, "Qwen2Tokenizer", 14))
		put_qwen2(json);
	else
		return err_set(err, ERR_FAILED, "the class %s is not supported", class);
	source_added(json, json_get(config, "eos_token") ? NULL : end, config);
	buf_add_str(json,
		",\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":");
	buf_add(json, vocab->data, vocab->len);
	put_merges(json, merges);
	buf_add_str(json, "}}");
	return buf_check(json, err);
}

/* ---- */

/* Appends the file where it is there: 1, 0, or -1. */
static int read_file(const char *folder, const char *name, struct buf *out, struct err *err)
{
	char *path = path_join(folder, name, err);
	int rc = path ? 0 : -1;

	if (path && access(path, F_OK) == 0)
		rc = file_read(path, FILE_MAX, out, err) ? -1 : 1;
	free(path);
	return rc;
}

int source_read(const char *folder, const struct json *config, struct buf *json, const char **name,
	struct err *err)
{
	struct buf one = BUF_INIT, other = BUF_INIT;
	int rc;

	*name = "tokenizer.json";
	rc = read_file(folder, *name, json, err);
	if (rc == 0) {
		*name = "vocab.json";
		rc = read_file(folder, *name, &one, err);
		if (rc == 1)
			rc = read_file(folder, "merges.txt", &other, err);
		if (rc == 1 && put_pair(json, &one, &other, config, err))
			rc = -1;
	}
	if (rc == 0) {
		*name = "tokenizer.model";
		buf_clear(&one);
		rc = read_file(folder, *name, &one, err);
		if (rc == 1 && source_spm(one.data, one.len, config, json, err))
			rc = -1;
	}
	buf_release(&one);
	buf_release(&other);
	if (rc == 0) {
		*name = "";
		return err_set(err, ERR_FAILED,
			"neither tokenizer.json, nor vocab.json and merges.txt, nor "
			"tokenizer.model");
	}
	return rc < 0 ? -1 : 0;
}
