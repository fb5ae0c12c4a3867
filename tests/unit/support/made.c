#include "tests/unit/support/made.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

static char folder[64];

static void requote(char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			*text = '"';
}

struct json *made_json(const char *quoted)
{
	struct err err = ERR_INIT;
	char *text = strdup(quoted);
	struct json *v;

	requote(text);
	v = json_parse(text, strlen(text), &err);
	if (!v)
		fail_msg("%s: %s", err.text, text);
	free(text);
	return v;
}

const char *made_folder(void)
{
	return folder;
}

int made_open(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/made.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	unlink(path);
}

void made_clear(void)
{
	remove_file("tokenizer.json");
	remove_file("tokenizer_config.json");
	remove_file("vocab.json");
	remove_file("merges.txt");
	remove_file("tokenizer.model");
}

int made_close(void **state)
{
	(void)state;
	made_clear();
	return rmdir(folder);
}

void made_file(const char *name, const char *text, size_t n)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

void made_write(const struct made *m)
{
	struct buf text = BUF_INIT;

	buf_add_fmt(&text,
		"{'version':'1.0','added_tokens':[%s],'normalizer':%s,'pre_tokenizer':%s,",
		m->added ? m->added : "", m->normalizer ? m->normalizer : "null",
		m->pre_tokenizer ? m->pre_tokenizer : "null");
	buf_add_fmt(&text, "'post_processor':%s,'decoder':%s,'model':{'type':'%s',%s}}",
		m->post_processor ? m->post_processor : "null", m->decoder ? m->decoder : "null",
		m->type ? m->type : "BPE", m->model);
	requote(text.data);
	made_file("tokenizer.json", text.data, text.len);
	remove_file("tokenizer_config.json");
	if (m->config) {
		buf_clear(&text);
		buf_add_str(&text, m->config);
		requote(text.data);
		made_file("tokenizer_config.json", text.data, text.len);
	}
	buf_release(&text);
}

struct tokenizer *made_load(const struct made *m)
{
	struct err err = ERR_INIT;
	struct tokenizer *t;

	made_write(m);
	t = tokenizer_load(folder, &err);
	if (!t)
		fail_msg("%s", err.text);
	return t;
}
