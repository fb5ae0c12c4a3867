#include "tests/unit/support/draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "io/json.h"
#include "tests/unit/support/folder.h"

const char draft_gpt2[] =
	"{\"model_type\":\"gpt2\",\"vocab_size\":11,\"n_embd\":4,\"n_layer\":1,\"n_head\":2,"
	"\"n_positions\":5,\"n_inner\":6}";
const char draft_llama[] =
	"{\"model_type\":\"llama\",\"vocab_size\":11,\"hidden_size\":4,\"intermediate_size\":6,"
	"\"num_hidden_layers\":2,\"num_attention_heads\":2,\"num_key_value_heads\":1}";
const char draft_llama_tied[] =
	"{\"model_type\":\"llama\",\"vocab_size\":11,\"hidden_size\":4,"
	"\"intermediate_size\":6,\"num_hidden_layers\":1,\"num_attention_heads\":2,"
	"\"tie_word_embeddings\":true}";

size_t draft_count(const struct draft_tensor *t)
{
	size_t n = 1;

	for (int i = 0; i < t->rank; i++)
		n *= (size_t)t->shape[i];
	return n;
}

struct draft_tensor *draft_add(struct draft *d, const char *name, int64_t d0, int64_t d1)
{
	struct draft_tensor *t = &d->tensors[d->n++];

	assert_true(d->n <= DRAFT_MOST);
	*t = (struct draft_tensor){.dtype = F32, .rank = d1 ? 2 : 1, .shape = {d0, d1}};
	snprintf(t->name, sizeof t->name, "%s", name);
	t->values = calloc(draft_count(t) * 2, sizeof *t->values);
	assert_non_null(t->values);
	/* Sixteenths up to 4, which every dtype holds exactly. */
	for (size_t i = 0; i < draft_count(t); i++)
		t->values[i] = (float)((int)((i * 37 + (size_t)d->n * 11) % 129) - 64) / 16;
	return t;
}

struct draft_tensor *draft_find(struct draft *d, const char *name)
{
	for (int i = 0; i < d->n; i++)
		if (!strcmp(d->tensors[i].name, name))
			return &d->tensors[i];
	fail_msg("no tensor '%s'", name);
	return NULL;
}

void draft_shard(struct draft *d, int shards)
{
	d->shards = shards;
	for (int i = 0; i < d->n; i++)
		d->tensors[i].file = i * 7 % shards;
}

void draft_begin(struct draft *d, const char *config)
{
	struct arch a;
	struct params p;
	struct err err = ERR_INIT;
	struct json *c = json_parse(config, strlen(config), &err);

	*d = (struct draft){.config = config};
	assert_non_null(c);
	assert_int_equal(arch_describe(&a, c, &err), 0);
	assert_int_equal(params_init(&p, &a, &err), 0);
	for (size_t i = 0; i < p.n; i++)
		draft_add(d, p.param[i].name, p.param[i].shape[0],
			p.param[i].rank == 2 ? p.param[i].shape[1] : 0);
	params_release(&p);
	arch_release(&a);
	json_free(c);
}

static void put_tensors(const struct draft *d, const char *name, int file)
{
	struct buf text = BUF_INIT, data = BUF_INIT;
	struct err err = ERR_INIT;
	uint64_t length = 0;
	const char *comma = "";

	buf_add(&text, &length, sizeof length);
	buf_add_char(&text, '{');
	if (d->metadata) {
		buf_add_fmt(&text, "\"__metadata__\":%s", d->metadata);
		comma = ", ";
	}
	for (int k = 0; k < d->n; k++) {
		const struct draft_tensor *t = &d->tensors[d->backwards ? d->n - 1 - k : k];
		size_t bytes = draft_count(t) * dtype_size(t->dtype), start = data.len;

		if (t->gone || (d->shards && t->file != file))
			continue;
		buf_add_fmt(&text, "%s\"%s\": {\"dtype\":\"%s\",\"shape\":[", comma, t->name,
			dtype_name(t->dtype));
		for (int r = 0; r < t->rank; r++)
			buf_add_fmt(&text, "%s%lld", r ? "," : "", (long long)t->shape[r]);
		buf_add_fmt(&text, "],\"data_offsets\":[%zu,%zu]}", start, start + bytes);
		comma = ", ";
		assert_non_null(buf_extend(&data, bytes));
		memset(data.data + start, 7, bytes);
		if (t->dtype == F32 || t->dtype == F64 || t->dtype == F16 || t->dtype == BF16)
			dtype_from_f32(data.data + start, t->values, t->dtype, draft_count(t));
	}
	buf_add_char(&text, '}');
	for (size_t i = 0; i < d->pad; i++)
		buf_add_char(&text, ' ');
	length = text.len - sizeof length;
	buf_add(&text, data.data, data.len);
	assert_int_equal(buf_check(&text, &err), 0);
	memcpy(text.data, &length, sizeof length);
	folder_put_bytes(name, text.data, text.len);
	buf_release(&text);
	buf_release(&data);
}

static const char *shard_name(int file)
{
	static char name[2][60];

	snprintf(name[file % 2], sizeof *name, "model/part-%d.safetensors", file);
	return name[file % 2];
}

void draft_write(const struct draft *d)
{
	struct buf index = BUF_INIT;

	folder_remove("model");
	assert_int_equal(mkdir(folder_path("model"), 0777), 0);
	folder_put("model/config.json", d->config);
	if (!d->shards)
		put_tensors(d, "model/model.safetensors", 0);
	for (int f = 0; f < d->shards; f++)
		put_tensors(d, shard_name(f), f);
	if (d->shards || d->index) {
		buf_add_str(&index, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");
		for (int i = 0; i < d->n; i++)
			if (!d->tensors[i].gone)
				buf_add_fmt(&index, "%s\"%s\":\"%s\"", i ? "," : "",
					d->tensors[i].name,
					shard_name(d->tensors[i].file) + strlen("model/"));
		buf_add_str(&index, "}}");
		folder_put("model/model.safetensors.index.json", d->index ? d->index : index.data);
	}
	buf_release(&index);
}

void draft_open(const struct draft *d, struct model *m, enum model_use use)
{
	struct err err = ERR_INIT;

	draft_write(d);
	if (model_open(m, folder_path("model"), use, &err))
		fail_msg("%s", err.text);
}

void draft_end(struct draft *d)
{
	for (int i = 0; i < d->n; i++)
		free(d->tensors[i].values);
	d->n = 0;
	folder_remove("model");
}
