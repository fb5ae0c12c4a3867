/*
 * Model folders: read in every layout and dtype, refused by the tensor's name, identified whatever their
 * sharding; and written, old or new but never half.
 */
#include "tests/unit/support/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "io/modelout.h"
#include "model/model.h"

/* ---- files */

static char top[] = "/tmp/test_modeldir.XXXXXX";

static const char *path_of(const char *name)
{
	static char paths[8][200];
	static int next;
	char *p = paths[next++ % 8];

	snprintf(p, sizeof *paths, "%s/%s", top, name);
	return p;
}

static void put_bytes(const char *name, const void *bytes, size_t n)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_true(fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

/* The whole file, for free(). */
static char *get(const char *name, size_t *n)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	if (file_read(path_of(name), 1 << 24, &b, &err))
		fail_msg("%s", err.text);
	if (n)
		*n = b.len;
	return b.data;
}

static void remove_all(const char *name)
{
	char path[500];
	struct dirent *e;
	DIR *d;

	if (unlink(path_of(name)) == 0 || !(d = opendir(path_of(name))))
		return;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
			snprintf(path, sizeof path, "%.100s/%.100s", name, e->d_name);
			remove_all(path);
		}
	closedir(d);
	assert_int_equal(rmdir(path_of(name)), 0);
}

/* What is in a folder, sorted, in one line. */
static const char *list(const char *name)
{
	static char text[2000];
	struct dirent **entries;
	int n = scandir(path_of(name), &entries, NULL, alphasort);

	text[0] = '\0';
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		if (strcmp(entries[i]->d_name, ".") && strcmp(entries[i]->d_name, ".."))
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? " " : "",
				entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return text;
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	signal(SIGXFSZ, SIG_IGN);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(top);
}

/* After a test that failed, too. */
static int clear(void **state)
{
	struct dirent *e;
	DIR *d = opendir(top);

	(void)state;
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			remove_all(e->d_name);
	if (d)
		closedir(d);
	return 0;
}

/* ---- models, as lists of tensors that a test may change before it writes them */

struct tensor {
	char name[100];
	enum dtype dtype;
	int rank;
	int64_t shape[3];
	float *values;
	int file; /* which shard */
	bool gone;
};

#define MOST 40

struct draft {
	const char *config;
	struct tensor tensors[MOST];
	int n;
	int shards;		/* 0: one file */
	const char *index;	/* instead of the one that fits */
	size_t pad;		/* spaces behind each header */
	bool backwards;		/* the order in the files */
	const char *metadata;
};

static const char gpt2[] = "{\"model_type\":\"gpt2\",\"vocab_size\":11,\"n_embd\":4,\"n_layer\":1,\"n_head\":2,"
			   "\"n_positions\":5,\"n_inner\":6}";
static const char llama[] = "{\"model_type\":\"llama\",\"vocab_size\":11,\"hidden_size\":4,\"intermediate_size\":6,"
			    "\"num_hidden_layers\":2,\"num_attention_heads\":2,\"num_key_value_heads\":1}";
static const char llama_tied[] = "{\"model_type\":\"llama\",\"vocab_size\":11,\"hidden_size\":4,"
				 "\"intermediate_size\":6,\"num_hidden_layers\":1,\"num_attention_heads\":2,"
				 "\"tie_word_embeddings\":true}";

static size_t count(const struct tensor *t)
{
	size_t n = 1;

	for (int i = 0; i < t->rank; i++)
		n *= (size_t)t->shape[i];
	return n;
}

static struct tensor *add(struct draft *d, const char *name, int64_t d0, int64_t d1)
{
	struct tensor *t = &d->tensors[d->n++];

	assert_true(d->n <= MOST);
	*t = (struct tensor){.dtype = F32, .rank = d1 ? 2 : 1, .shape = {d0, d1}};
	snprintf(t->name, sizeof t->name, "%s", name);
	t->values = calloc(count(t) * 2, sizeof *t->values);
	assert_non_null(t->values);
	for (size_t i = 0; i < count(t); i++) /* sixteenths up to 4, which every dtype holds exactly */
		t->values[i] = (float)((int)((i * 37 + (size_t)d->n * 11) % 129) - 64) / 16;
	return t;
}

static struct tensor *named(struct draft *d, const char *name)
{
	for (int i = 0; i < d->n; i++)
		if (!strcmp(d->tensors[i].name, name))
			return &d->tensors[i];
	fail_msg("no tensor '%s'", name);
	return NULL;
}

static void begin(struct draft *d, const char *config)
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
		add(d, p.param[i].name, p.param[i].shape[0], p.param[i].rank == 2 ? p.param[i].shape[1] : 0);
	params_release(&p);
	arch_release(&a);
	json_free(c);
}

static void end(struct draft *d)
{
	for (int i = 0; i < d->n; i++)
		free(d->tensors[i].values);
	d->n = 0;
	remove_all("model");
}

static void put_tensors(const struct draft *d, const char *name, int file)
{
	struct buf head = BUF_INIT, data = BUF_INIT;
	struct err err = ERR_INIT;
	uint64_t length;
	const char *comma = "";

	buf_add_fmt(&head, "{");
	if (d->metadata) {
		buf_add_fmt(&head, "\"__metadata__\":%s", d->metadata);
		comma = ", ";
	}
	for (int k = 0; k < d->n; k++) {
		const struct tensor *t = &d->tensors[d->backwards ? d->n - 1 - k : k];
		size_t bytes = count(t) * dtype_size(t->dtype), start = data.len;

		if (t->gone || (d->shards && t->file != file))
			continue;
		buf_add_fmt(&head, "%s\"%s\": {\"dtype\":\"%s\",\"shape\":[", comma, t->name, dtype_name(t->dtype));
		for (int r = 0; r < t->rank; r++)
			buf_add_fmt(&head, "%s%lld", r ? "," : "", (long long)t->shape[r]);
		buf_add_fmt(&head, "],\"data_offsets\":[%zu,%zu]}", start, start + bytes);
		comma = ", ";
		assert_non_null(buf_extend(&data, bytes));
		memset(data.data + start, 7, bytes);
		if (t->dtype == F32 || t->dtype == F64 || t->dtype == F16 || t->dtype == BF16)
			dtype_from_f32(data.data + start, t->values, t->dtype, count(t));
	}
	buf_add_str(&head, "}");
	for (size_t i = 0; i < d->pad; i++)
		buf_add_char(&head, ' ');
	assert_int_equal(buf_check(&head, &err), 0);
	length = head.len;
	put_bytes(name, &length, 8);
	{
		FILE *f = fopen(path_of(name), "a");

		assert_non_null(f);
		assert_true(fwrite(head.data, 1, head.len, f) == head.len);
		assert_true(!data.len || fwrite(data.data, 1, data.len, f) == data.len);
		assert_int_equal(fclose(f), 0);
	}
	buf_release(&head);
	buf_release(&data);
}

static const char *shard_name(int file)
{
	static char name[2][60];

	snprintf(name[file % 2], sizeof *name, "model/part-%d.safetensors", file);
	return name[file % 2];
}

/* Writes the folder "model". */
static void write_draft(struct draft *d)
{
	struct buf index = BUF_INIT;

	remove_all("model");
	assert_int_equal(mkdir(path_of("model"), 0777), 0);
	put("model/config.json", d->config);
	if (!d->shards)
		put_tensors(d, "model/model.safetensors", 0);
	for (int f = 0; f < d->shards; f++)
		put_tensors(d, shard_name(f), f);
	if (d->shards || d->index) {
		buf_add_str(&index, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");
		for (int i = 0; i < d->n; i++)
			if (!d->tensors[i].gone)
				buf_add_fmt(&index, "%s\"%s\":\"%s\"", i ? "," : "", d->tensors[i].name,
					shard_name(d->tensors[i].file) + strlen("model/"));
		buf_add_str(&index, "}}");
		put("model/model.safetensors.index.json", d->index ? d->index : index.data);
	}
	buf_release(&index);
}

static void open_draft(struct draft *d, struct model *m, enum model_use use)
{
	struct err err = ERR_INIT;

	write_draft(d);
	if (model_open(m, path_of("model"), use, &err))
		fail_msg("%s", err.text);
}

static bool same_values(const struct values *v, const float *want, size_t n)
{
	float have[512];

	assert_true(n <= 512);
	dtype_to_f32(have, v->data, v->type == MAT_F16 ? F16 : v->type == MAT_BF16 ? BF16 : F32, n);
	return memcmp(have, want, n * sizeof *want) == 0;
}

/* Every parameter has the values of its tensor. */
static void check_values(struct draft *d, const struct model *m)
{
	for (size_t i = 0; i < m->params.n; i++) {
		const struct param *p = &m->params.param[i];
		const char *name = p->name;
		bool found = false;

		for (int k = 0; k < d->n && !found; k++) {
			const char *t = d->tensors[k].name;

			found = !strcmp(t, name) || (!strncmp(name, "transformer.", 12) && !strcmp(t, name + 12));
			if (found && !same_values(&m->values[i], d->tensors[k].values, p->count))
				fail_msg("%s: other values", name);
		}
		if (!found)
			fail_msg("%s: from nowhere", name);
	}
}

static void check_good(struct draft *d)
{
	for (int train = 0; train < 2; train++) {
		enum model_use use = train ? MODEL_TRAIN : MODEL_READ;
		struct model m;

		open_draft(d, &m, use);
		check_values(d, &m);
		for (size_t i = 0; use == MODEL_TRAIN && i < m.params.n; i++)
			assert_ptr_equal(m.values[i].data, m.weights + m.params.param[i].offset);
		model_release(&m);
	}
}

/* Is it refused, with this code, and words from the message? And is it then released in peace? */
static void check_bad_as(struct draft *d, int code, const char *says, const char *also)
{
	for (int train = 0; train < 2; train++) {
		enum model_use use = train ? MODEL_TRAIN : MODEL_READ;
		struct model m;
		struct err err = ERR_INIT;

		write_draft(d);
		if (model_open(&m, path_of("model"), use, &err) == 0)
			fail_msg("not refused: %s", says);
		if (err.code != code || !strstr(err.text, says) || !strstr(err.text, also))
			fail_msg("code %d instead of %d, or no '%s' and '%s': %s", err.code, code, says, also, err.text);
		model_release(&m);
	}
}

static void check_bad(struct draft *d, int code, const char *says)
{
	check_bad_as(d, code, says, "");
}

/* ---- reading */

static void one_file(void **state)
{
	static const char *const configs[] = {gpt2, llama, llama_tied};
	struct model m;
	struct draft d;

	(void)state;
	for (int i = 0; i < 3; i++) {
		begin(&d, configs[i]);
		check_good(&d);
		d.backwards = true;
		d.metadata = "{\"format\":\"pt\"}";
		check_good(&d);
		open_draft(&d, &m, MODEL_READ);
		assert_int_equal(m.dir.ntensors, d.n);
		assert_false(m.dir.sharded);
		for (size_t k = 1; k < m.dir.ntensors; k++)
			assert_true(strcmp(m.dir.tensors[k - 1].info->name, m.dir.tensors[k].info->name) < 0);
		for (int k = 0; k < d.n; k++)
			assert_string_equal(modeldir_find(&m.dir, d.tensors[k].name)->info->name, d.tensors[k].name);
		assert_null(modeldir_find(&m.dir, "nothing"));
		assert_null(modeldir_find(&m.dir, ""));
		model_release(&m);
		end(&d);
	}
}

/* F32 is read where it lies, unless it lies askew. */
static void mapped_or_copied(void **state)
{
	struct draft d;
	struct model m;

	(void)state;
	begin(&d, llama);
	for (d.pad = 0; d.pad < 8; d.pad++) {
		const void *mapped;

		open_draft(&d, &m, MODEL_READ);
		mapped = modeldir_find(&m.dir, m.params.param[0].name)->data;
		check_values(&d, &m);
		assert_true((m.values[0].data == mapped) == (m.dir.files[0].doc.data % sizeof(float) == 0));
		model_release(&m);
		check_good(&d);
	}
	end(&d);
}

static void every_dtype(void **state)
{
	static const enum dtype types[] = {F32, F16, BF16, F64};
	static const uint16_t half[] = {0x3c00, 0xc100, 0x0001, 0x8000, 0x7bff},
			      brain[] = {0x3f80, 0xc020, 0x0001, 0x8000, 0x7f7f};
	static const double wide[] = {1, -2.5, 0x1p-149, -0.0, 0.1};
	static const float want_half[] = {1, -2.5, 0x1p-24f, -0.0f, 65504},
			   want_brain[] = {1, -2.5, 0x1p-133f, -0.0f, 0x1.fep127f},
			   want_wide[] = {1, -2.5, 0x1p-149f, -0.0f, 0.1f};
	struct draft d;
	struct model m;

	(void)state;
	begin(&d, llama);
	for (int t = 0; t < 4; t++) {
		for (int i = 0; i < d.n; i++)
			d.tensors[i].dtype = types[t];
		for (d.pad = 0; d.pad < 3; d.pad++)
			check_good(&d);
	}
	for (int i = 0; i < d.n; i++) /* all in one model */
		d.tensors[i].dtype = types[i % 4];
	check_good(&d);

	/* By their bits. */
	for (int t = 1; t < 4; t++) {
		const struct tensor *n = named(&d, "model.norm.weight");
		const void *bits = t == 1 ? (const void *)half : t == 2 ? (const void *)brain : wide;
		const float *want = t == 1 ? want_half : t == 2 ? want_brain : want_wide;

		named(&d, "model.norm.weight")->dtype = types[t];
		for (int shift = 0; shift < 2; shift++) {
			const struct modeldir_tensor *in;
			size_t at;
			FILE *f;

			open_draft(&d, &m, MODEL_READ);
			in = modeldir_find(&m.dir, n->name);
			at = (size_t)((const uint8_t *)in->data - in->file->map.data);
			model_release(&m);
			f = fopen(path_of("model/model.safetensors"), "r+");
			assert_non_null(f);
			assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
			assert_int_equal(fwrite((const char *)bits + (size_t)shift * dtype_size(types[t]),
						 dtype_size(types[t]), 4, f),
				4);
			assert_int_equal(fclose(f), 0);
			assert_int_equal(model_open(&m, path_of("model"), MODEL_READ, &(struct err)ERR_INIT), 0);
			assert_memory_equal(model_vector(&m, ROLE_NORM, 0, false), want + shift, 4 * sizeof(float));
			model_release(&m);
		}
	}
	end(&d);
}

static void tensors_that_do_not_fit(void **state)
{
	static const enum dtype no_floats[] = {I64, I32, I16, I8, U8, BOOL};
	struct draft d;
	struct tensor *t;

	(void)state;
	begin(&d, gpt2);
	for (int i = 0; i < d.n; i++) {
		char name[120];

		snprintf(name, sizeof name, "tensor '%s' is missing", d.tensors[i].name);
		d.tensors[i].gone = true;
		check_bad(&d, ERR_MISMATCH, name);
		d.tensors[i].gone = false;

		snprintf(name, sizeof name, "tensor '%s' is [", d.tensors[i].name);
		d.tensors[i].shape[0]++;
		check_bad(&d, ERR_MISMATCH, name);
		d.tensors[i].shape[0]--;
	}
	t = named(&d, "transformer.h.0.attn.c_attn.weight"); /* as a Linear would have it */
	t->shape[0] = 12, t->shape[1] = 4;
	check_bad(&d, ERR_MISMATCH, "'transformer.h.0.attn.c_attn.weight' is [12, 4], the config says [4, 12]");
	t->shape[0] = 4, t->shape[1] = 12;
	t->shape[0] = 48, t->rank = 1;
	check_bad(&d, ERR_MISMATCH, "'transformer.h.0.attn.c_attn.weight' is [48, 1]");
	t->shape[0] = 4, t->rank = 3, t->shape[2] = 1;
	check_bad(&d, ERR_MISMATCH, "'transformer.h.0.attn.c_attn.weight'");
	t->rank = 2;
	t = named(&d, "transformer.ln_f.bias");
	t->rank = 2, t->shape[1] = 1;
	check_bad(&d, ERR_MISMATCH, "'transformer.ln_f.bias'");
	t->rank = 0;
	check_bad(&d, ERR_MISMATCH, "'transformer.ln_f.bias'");
	t->rank = 1;
	for (size_t i = 0; i < sizeof no_floats / sizeof *no_floats; i++) {
		char name[120];

		t->dtype = no_floats[i];
		snprintf(name, sizeof name, "'transformer.ln_f.bias' is %s", dtype_name(no_floats[i]));
		check_bad(&d, ERR_MISMATCH, name);
	}
	t->dtype = F32;
	check_good(&d);
	t = add(&d, "transformer.h.1.ln_1.weight", 4, 0);
	check_bad(&d, ERR_MISMATCH, "'transformer.h.1.ln_1.weight' is not known in a model of type gpt2");
	snprintf(t->name, sizeof t->name, "v_head.summary.weight");
	check_bad(&d, ERR_MISMATCH, "'v_head.summary.weight'");
	snprintf(t->name, sizeof t->name, "lm_head.weight"); /* tied, but of another shape: it is its own */
	check_bad(&d, ERR_MISMATCH, "'lm_head.weight'");
	end(&d);
}

/* Buffers that old checkpoints carry along. */
static void buffers_are_ignored(void **state)
{
	struct draft d;

	(void)state;
	begin(&d, gpt2);
	add(&d, "transformer.h.0.attn.bias", 5, 5)->dtype = BOOL;
	add(&d, "transformer.h.0.attn.masked_bias", 1, 0)->rank = 0;
	check_good(&d);
	add(&d, "transformer.h.0.rotary_emb.inv_freq", 5, 0);
	check_bad(&d, ERR_MISMATCH, "'transformer.h.0.rotary_emb.inv_freq'");
	end(&d);
	begin(&d, llama);
	add(&d, "model.layers.0.self_attn.rotary_emb.inv_freq", 1, 0);
	check_good(&d);
	add(&d, "model.layers.0.self_attn.q_proj.bias", 4, 0);
	check_bad(&d, ERR_MISMATCH, "'model.layers.0.self_attn.q_proj.bias'");
	end(&d);
}

static void names_without_prefix(void **state)
{
	struct draft d;

	(void)state;
	begin(&d, gpt2);
	for (int i = 0; i < d.n; i++)
		memmove(d.tensors[i].name, d.tensors[i].name + 12, strlen(d.tensors[i].name) - 11);
	assert_string_equal(d.tensors[0].name, "wte.weight");
	check_good(&d);
	d.tensors[3].gone = true;
	check_bad(&d, ERR_MISMATCH, "'transformer.h.0.ln_1.bias' is missing");
	end(&d);
	begin(&d, llama); /* whose prefix is no option */
	memmove(d.tensors[0].name, d.tensors[0].name + 6, strlen(d.tensors[0].name) - 5);
	check_bad(&d, ERR_MISMATCH, "'embed_tokens.weight' is not known");
	end(&d);
}

static void tied_heads(void **state)
{
	struct tensor *head, *embed;
	struct draft d;
	struct model m;

	(void)state;
	for (int prefix = 0; prefix < 3; prefix++) {
		begin(&d, prefix < 2 ? gpt2 : llama_tied);
		if (prefix == 1)
			for (int i = 0; i < d.n; i++)
				memmove(d.tensors[i].name, d.tensors[i].name + 12, strlen(d.tensors[i].name) - 11);
		embed = &d.tensors[0];
		open_draft(&d, &m, MODEL_READ);
		assert_true(m.arch.tied);
		assert_null(model_mat(&m, ROLE_HEAD, 0).data);
		model_release(&m);
		head = add(&d, "lm_head.weight", 11, 4);
		memcpy(head->values, embed->values, 44 * sizeof(float)); /* there, and the same */
		open_draft(&d, &m, MODEL_READ);
		assert_true(m.arch.tied);
		model_release(&m);
		head->values[43] += 1; /* there, and another: then it is what counts */
		open_draft(&d, &m, MODEL_READ);
		assert_false(m.arch.tied);
		assert_memory_equal(model_mat(&m, ROLE_HEAD, 0).data, head->values, 44 * sizeof(float));
		model_release(&m);
		check_good(&d);
		head->dtype = BF16;
		check_good(&d);
		end(&d);
	}
}

static void shard(struct draft *d, int shards)
{
	d->shards = shards;
	for (int i = 0; i < d->n; i++)
		d->tensors[i].file = i * 7 % shards;
}

static void shards(void **state)
{
	struct tensor *t;
	struct draft d;
	struct model m;

	(void)state;
	for (int n = 1; n < 6; n++) {
		begin(&d, n % 2 ? gpt2 : llama);
		shard(&d, n);
		check_good(&d);
		open_draft(&d, &m, MODEL_READ);
		assert_true(m.dir.sharded);
		assert_int_equal(m.dir.nfiles, n);
		assert_int_equal(m.dir.ntensors, d.n);
		model_release(&m);
		end(&d);
	}
	begin(&d, gpt2);
	shard(&d, 2);
	t = add(&d, "transformer.wpe.weight", 5, 4); /* once more, in the other shard */
	t->file = 1 - named(&d, "transformer.wpe.weight")->file;
	check_bad(&d, ERR_CORRUPT, "'transformer.wpe.weight' is in two shards");
	d.n--;
	free(t->values);

	/* A file that the index names must be there; one that it does not name is not looked at. */
	write_draft(&d);
	put("model/model.safetensors", "no safetensors");
	assert_int_equal(model_open(&m, path_of("model"), MODEL_READ, &(struct err)ERR_INIT), 0);
	model_release(&m);
	assert_int_equal(unlink(path_of("model/part-1.safetensors")), 0);
	{
		struct err err = ERR_INIT;

		assert_int_equal(model_open(&m, path_of("model"), MODEL_READ, &err), -1);
		assert_int_equal(err.code, ERR_FAILED);
		assert_non_null(strstr(err.text, "part-1.safetensors"));
		model_release(&m);
	}
	end(&d);
}

static void indexes_that_lie(void **state)
{
	static const struct {
		const char *index;
		int code;
		const char *says;
	} bad[] = {
		{"", ERR_CORRUPT, "model.safetensors.index.json"},
		{"[]", ERR_CORRUPT, "'weight_map' is missing"},
		{"{\"weight_map\":[]}", ERR_CORRUPT, "'weight_map' is missing"},
		{"{\"weight_map\":\"part-0.safetensors\"}", ERR_CORRUPT, "'weight_map' is missing"},
		{"{\"weight_map\":{}}", ERR_MISMATCH, "is missing"},
		{"{\"weight_map\":{\"a\":5}}", ERR_CORRUPT, "tensor 'a' is in no file of this folder"},
		{"{\"weight_map\":{\"a\":null}}", ERR_CORRUPT, "tensor 'a'"},
		{"{\"weight_map\":{\"a\":\"../model/part-0.safetensors\"}}", ERR_CORRUPT, "tensor 'a' is in no file of"},
		{"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", ERR_CORRUPT, "tensor 'a' is in no file of this folder"},
		{"{\"weight_map\":{\"a\":\"..\"}}", ERR_CORRUPT, "tensor 'a' is in no file of this folder"},
		{"{\"weight_map\":{\"a\":\"x/y\"}}", ERR_CORRUPT, "tensor 'a' is in no file of this folder"},
		{"{\"weight_map\":{\"a\":\"part-0.safetensors\"}}", ERR_CORRUPT,
			"tensor 'a' is not in 'part-0.safetensors'"},
		{"{\"weight_map\":{\"a\":\"config.json\"}}", ERR_CORRUPT, "config.json"},
		{"{\"weight_map\":{\"transformer.wte.weight\":\"part-0.safetensors\"}}", ERR_MISMATCH, "is missing"},
	};
	static const char *const folders[] = {"", "."};
	char index[100];
	struct draft d;
	struct model m;

	(void)state;
	begin(&d, gpt2);
	shard(&d, 2);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		d.index = bad[i].index;
		check_bad(&d, bad[i].code, bad[i].says);
	}
	for (int i = 0; i < 2; i++) { /* the folder itself is no file */
		struct err err = ERR_INIT;

		snprintf(index, sizeof index, "{\"weight_map\":{\"a\":\"%s\"}}", folders[i]);
		d.index = index;
		write_draft(&d);
		assert_int_equal(model_open(&m, path_of("model"), MODEL_READ, &err), -1);
		assert_true(err.code == ERR_FAILED || err.code == ERR_CORRUPT);
		model_release(&m);
	}
	end(&d);
}

static void cut_files(void **state)
{
	struct draft d;
	size_t n;

	(void)state;
	begin(&d, gpt2);
	for (int sharded = 0; sharded < 2; sharded++) {
		const char *name = sharded ? "model/part-1.safetensors" : "model/model.safetensors";
		char *bytes;

		if (sharded)
			shard(&d, 2);
		write_draft(&d);
		bytes = get(name, &n);
		for (size_t cut = 0; cut <= n + 1; cut++) {
			struct err err = ERR_INIT;
			struct model m;
			int rc;

			if (cut <= n)
				put_bytes(name, bytes, cut);
			else
				put_bytes(name, bytes, n + 1); /* the zero byte behind them: one too many */
			rc = model_open(&m, path_of("model"), MODEL_READ, &err);
			assert_int_equal(rc, cut == n ? 0 : -1);
			if (rc) {
				assert_int_equal(err.code, ERR_CORRUPT);
				assert_non_null(strstr(err.text, name + strlen("model/")));
			}
			model_release(&m);
		}
		free(bytes);
	}
	end(&d);
}

static void folders_that_are_none(void **state)
{
	static const struct {
		const char *config;
		int code;
		const char *says;
	} bad[] = {{"", ERR_CORRUPT, "config.json"}, {"[]", ERR_CORRUPT, "not an object"},
		{"{\"model_type\":", ERR_CORRUPT, ""}, {"{}", ERR_MISMATCH, "model_type"},
		{"{\"model_type\":\"bert\"}", ERR_MISMATCH, "'bert'"},
		{"{\"model_type\":\"gpt2\",\"n_embd\":5}", ERR_CORRUPT, "n_head"}};
	struct err err = ERR_INIT;
	struct draft d;
	struct model m;

	(void)state;
	assert_int_equal(model_open(&m, path_of("model"), MODEL_READ, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	assert_non_null(strstr(err.text, "model/config.json: No such file"));
	model_release(&m);
	begin(&d, gpt2);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		d.config = bad[i].config;
		check_bad_as(&d, bad[i].code, bad[i].says, "config.json");
	}
	d.config = gpt2;
	write_draft(&d);
	assert_int_equal(unlink(path_of("model/model.safetensors")), 0);
	assert_int_equal(model_open(&m, path_of("model"), MODEL_READ, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	assert_non_null(strstr(err.text, "model/model.safetensors: No such file"));
	model_release(&m);
	end(&d);
}

/* ---- identity */

static void digest_of(struct draft *d, char hex[65])
{
	struct modeldir m;
	struct err err = ERR_INIT;

	write_draft(d);
	assert_int_equal(modeldir_open(&m, path_of("model"), &err), 0);
	assert_int_equal(modeldir_digest(&m, hex, &err), 0);
	assert_int_equal(strlen(hex), 64);
	modeldir_release(&m);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

/* By its definition. */
static void digest_again(const struct draft *d, char hex[65])
{
	struct tensor *t = malloc(sizeof d->tensors);
	struct buf text = BUF_INIT;
	struct sha256 h;
	uint8_t digest[32];

	assert_non_null(t);
	memcpy(t, d->tensors, sizeof d->tensors);
	qsort(t, (size_t)d->n, sizeof *t, by_name);
	for (int i = 0; i < d->n; i++) {
		sha256_init(&h);
		sha256_add(&h, t[i].values, count(&t[i]) * sizeof(float));
		sha256_finish(&h, digest);
		sha256_hex(digest, hex);
		buf_add_fmt(&text, "%s\tF32\t%lld", t[i].name, (long long)t[i].shape[0]);
		if (t[i].rank == 2)
			buf_add_fmt(&text, ",%lld", (long long)t[i].shape[1]);
		buf_add_fmt(&text, "\t%s\n", hex);
	}
	sha256_init(&h);
	sha256_add(&h, text.data, text.len);
	sha256_finish(&h, digest);
	sha256_hex(digest, hex);
	buf_release(&text);
	free(t);
}

static void digests(void **state)
{
	char first[65], hex[65];
	struct tensor *t;
	struct draft d;

	(void)state;
	begin(&d, gpt2);
	digest_of(&d, first);
	digest_again(&d, hex);
	assert_string_equal(first, hex);
	/* What does not matter: sharding, order, padding, metadata, config. */
	for (int n = 1; n < 4; n++) {
		shard(&d, n);
		digest_of(&d, hex);
		assert_string_equal(hex, first);
	}
	d.shards = 0;
	d.backwards = true;
	d.pad = 3;
	d.metadata = "{\"format\":\"pt\",\"by\":\"me\"}";
	d.config = "{\"model_type\":\"other\"}";
	digest_of(&d, hex);
	assert_string_equal(hex, first);
	/* What does: one bit, a name, a dtype, a shape, one tensor more. */
	t = named(&d, "transformer.wpe.weight");
	t->values[19] = nextafterf(t->values[19], 9);
	digest_of(&d, hex);
	assert_string_not_equal(hex, first);
	t->values[19] = nextafterf(t->values[19], -9);
	digest_of(&d, hex);
	assert_string_equal(hex, first);
	t->name[12] = 'W';
	digest_of(&d, hex);
	assert_string_not_equal(hex, first);
	t->name[12] = 'w';
	t->shape[0] = 4, t->shape[1] = 5;
	digest_of(&d, hex);
	assert_string_not_equal(hex, first);
	t->shape[0] = 5, t->shape[1] = 4;
	t->dtype = BF16;
	digest_of(&d, hex);
	assert_string_not_equal(hex, first);
	t->dtype = F32;
	add(&d, "x", 1, 0);
	digest_of(&d, hex);
	assert_string_not_equal(hex, first);
	end(&d);
}

static void tokenizers_are_told_apart(void **state)
{
	struct err err = ERR_INIT;
	char hex[65];

	(void)state;
	assert_int_equal(mkdir(path_of("model"), 0777), 0);
	assert_int_equal(modeldir_tokenizer_sha256(path_of("model"), hex, &err), 0);
	assert_string_equal(hex, "");
	put("model/tokenizer.json", "");
	assert_int_equal(modeldir_tokenizer_sha256(path_of("model"), hex, &err), 0);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	put("model/tokenizer.json", "abc");
	assert_int_equal(modeldir_tokenizer_sha256(path_of("model"), hex, &err), 0);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	remove_all("model");
}

/* ---- writing */

static void save(const struct model *m, const char *out, const char *settings)
{
	struct err err = ERR_INIT;

	if (model_save(m, path_of(out), path_of(settings), &err))
		fail_msg("%s", err.text);
}

/* Do both folders have the same tensors, in files of the same names, with the same metadata? */
static void check_like(const struct modeldir *a, const char *folder)
{
	struct modeldir b;
	struct err err = ERR_INIT;

	if (modeldir_open(&b, path_of(folder), &err))
		fail_msg("%s", err.text);
	assert_int_equal(b.sharded, a->sharded);
	assert_int_equal(b.nfiles, a->nfiles);
	assert_int_equal(b.ntensors, a->ntensors);
	for (size_t i = 0; i < b.ntensors; i++) {
		const struct safetensor *x = a->tensors[i].info, *y = b.tensors[i].info;

		assert_string_equal(x->name, y->name);
		assert_string_equal(a->tensors[i].file->name, b.tensors[i].file->name);
		assert_int_equal(x->dtype, y->dtype);
		assert_int_equal(x->rank, y->rank);
		assert_memory_equal(x->shape, y->shape, (size_t)x->rank * sizeof *x->shape);
	}
	for (size_t f = 0; f < b.nfiles; f++) {
		const struct meta *x = &a->files[f].doc.meta, *y = &b.files[f].doc.meta;
		const char *format = meta_get(y, "format");

		assert_non_null(format);
		for (size_t i = 0; i < x->n; i++)
			assert_string_equal(meta_get(y, x->entries[i].key), x->entries[i].value);
	}
	modeldir_release(&b);
}

static void saved_as_it_was(void **state)
{
	static const enum dtype types[] = {F32, BF16, F16, F64};
	struct err err = ERR_INIT;
	struct draft d;
	struct model m, again;

	(void)state;
	for (int i = 0; i < 16; i++) {
		begin(&d, i & 1 ? gpt2 : llama);
		for (int k = 0; k < d.n; k++)
			d.tensors[k].dtype = types[i / 2 % 4];
		if (i & 1) {
			add(&d, "transformer.h.0.attn.bias", 5, 5)->dtype = U8;
			for (int k = 0; k < d.n; k++)
				if (i & 2)
					memmove(d.tensors[k].name, d.tensors[k].name + 12, strlen(d.tensors[k].name) - 11);
		}
		if (i >= 8)
			shard(&d, 3);
		else
			d.metadata = i & 2 ? "{\"format\":\"pt\",\"note\":\"x\"}" : NULL;
		open_draft(&d, &m, MODEL_TRAIN);
		save(&m, "out", "model");
		check_like(&m.dir, "out");
		assert_int_equal(model_open(&again, path_of("out"), MODEL_TRAIN, &err), 0);
		assert_memory_equal(again.weights, m.weights, m.params.count * sizeof *m.weights);
		if (i & 1) {
			const struct modeldir_tensor *t =
				modeldir_find(&again.dir, i & 2 ? "h.0.attn.bias" : "transformer.h.0.attn.bias");

			for (int k = 0; k < 25; k++)
				assert_int_equal(((const uint8_t *)t->data)[k], 7);
		}
		model_release(&again);

		/* Trained, it is rounded to its dtype. */
		for (size_t k = 0; k < m.params.count; k++)
			m.weights[k] = m.weights[k] * 1.01f + 1e-3f;
		save(&m, "out", "model");
		check_like(&m.dir, "out");
		assert_int_equal(model_open(&again, path_of("out"), MODEL_TRAIN, &err), 0);
		for (size_t k = 0; k < m.params.n; k++) {
			const struct param *p = &m.params.param[k];
			float want[100];
			uint8_t rounded[800];

			assert_true(p->count <= 100);
			dtype_from_f32(rounded, m.values[k].data, types[i / 2 % 4], p->count);
			dtype_to_f32(want, rounded, types[i / 2 % 4], p->count);
			assert_memory_equal(again.values[k].data, want, p->count * sizeof *want);
		}
		model_release(&again);
		model_release(&m);
		remove_all("out");
		end(&d);
	}
}

static void tied_heads_are_saved(void **state)
{
	struct err err = ERR_INIT;
	struct draft d;
	struct model m, again;

	(void)state;
	for (int own = 0; own < 2; own++) {
		struct tensor *head;

		begin(&d, llama_tied);
		head = add(&d, "lm_head.weight", 11, 4);
		memcpy(head->values, d.tensors[0].values, 44 * sizeof(float));
		head->values[5] += (float)own;
		open_draft(&d, &m, MODEL_TRAIN);
		m.weights[params_find(&m.params, ROLE_EMBED, 0, false)->offset] = 42;
		if (own)
			m.weights[params_find(&m.params, ROLE_HEAD, 0, false)->offset + 1] = 43;
		save(&m, "out", "model");
		check_like(&m.dir, "out");
		assert_int_equal(model_open(&again, path_of("out"), MODEL_READ, &err), 0);
		assert_int_equal(again.arch.tied, !own);
		assert_true(*(const float *)model_mat(&again, ROLE_EMBED, 0).data == 42);
		if (own)
			assert_true(((const float *)model_mat(&again, ROLE_HEAD, 0).data)[1] == 43);
		else
			assert_true(*(const float *)modeldir_find(&again.dir, "lm_head.weight")->data == 42);
		model_release(&again);
		model_release(&m);
		remove_all("out");
		end(&d);
	}
}

static void from_nothing(void **state)
{
	static const char *const configs[] = {gpt2, llama, llama_tied};
	struct err err = ERR_INIT;
	struct model m, again;

	(void)state;
	assert_int_equal(mkdir(path_of("settings"), 0777), 0);
	for (int i = 0; i < 3; i++) {
		put("settings/config.json", configs[i]);
		assert_int_equal(model_init(&m, path_of("settings/config.json"), 5, &err), 0);
		save(&m, "out", "settings");
		assert_string_equal(list("out"), "config.json model.safetensors");
		assert_int_equal(model_open(&again, path_of("out"), MODEL_TRAIN, &err), 0);
		assert_memory_equal(again.weights, m.weights, m.params.count * sizeof *m.weights);
		assert_string_equal(meta_get(&again.dir.files[0].doc.meta, "format"), "pt");
		for (size_t k = 0; k < again.dir.ntensors; k++)
			assert_int_equal(again.dir.tensors[k].info->dtype, F32);
		assert_null(modeldir_find(&again.dir, i == 1 ? "x" : "lm_head.weight"));
		model_release(&again);
		model_release(&m);
	}
	remove_all("settings");
	remove_all("out");
}

static void settings_are_copied(void **state)
{
	static const char *const known[] = {"added_tokens.json", "chat_template.jinja", "chat_template.json",
		"generation_config.json", "merges.txt", "special_tokens_map.json", "tokenizer.json", "tokenizer.model",
		"tokenizer_config.json", "vocab.json"};
	struct draft d;
	struct model m;
	char name[100], *text;

	(void)state;
	begin(&d, llama);
	open_draft(&d, &m, MODEL_TRAIN);
	assert_int_equal(mkdir(path_of("settings"), 0777), 0);
	put("settings/config.json", llama);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		snprintf(name, sizeof name, "settings/%s", known[i]);
		put(name, known[i]);
	}
	put("settings/README.md", "x");
	put("settings/optimizer.pt", "x");
	put("settings/model.safetensors", "x");
	put("settings/tokenizer.json", ""); /* empty ones too */
	save(&m, "out", "settings");
	assert_string_equal(list("out"), "added_tokens.json chat_template.jinja chat_template.json config.json "
		"generation_config.json merges.txt model.safetensors special_tokens_map.json tokenizer.json "
		"tokenizer.model tokenizer_config.json vocab.json");
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		snprintf(name, sizeof name, "out/%s", known[i]);
		text = get(name, NULL);
		assert_string_equal(text, strcmp(known[i], "tokenizer.json") ? known[i] : "");
		free(text);
	}
	remove_all("settings");
	remove_all("out");
	model_release(&m);
	end(&d);
}

/* Nothing is to be seen until the commit; then all of it, and nothing of what was there before. */
static void replaced_at_once(void **state)
{
	struct safetensors doc = SAFETENSORS_INIT;
	struct err err = ERR_INIT;
	struct modelout out;
	struct draft d;
	struct model m, old;
	char *before, *text;
	size_t n;

	(void)state;
	begin(&d, llama);
	shard(&d, 2);
	open_draft(&d, &m, MODEL_TRAIN);
	save(&m, "out", "model");
	model_release(&m);
	put("out/notes.txt", "x");
	before = get("out/part-1.safetensors", &n);
	d.shards = 0;
	d.config = gpt2;
	assert_int_equal(model_open(&old, path_of("out"), MODEL_READ, &err), 0); /* someone still reads */

	assert_int_equal(modelout_open(&out, path_of("out///"), &err), 0);
	assert_string_equal(out.path, path_of("out"));
	assert_int_equal(strncmp(out.temporary, path_of("out.tmp."), strlen(path_of("out.tmp."))), 0);
	put("model/config.json", gpt2);
	assert_int_equal(modelout_copy_settings(&out, path_of("model"), &err), 0);
	assert_int_equal(modelout_copy(&out, path_of("model/not there"), "x", &err), -1);
	assert_int_equal(modelout_copy(&out, path_of("model/config.json"), "config.json", &err), 0);
	assert_int_equal(modelout_tensors(&out, "model.safetensors", &doc, NULL, NULL, &err), 0);
	assert_string_equal(list("out"),
		"config.json model.safetensors.index.json notes.txt part-0.safetensors part-1.safetensors");
	text = get("out/config.json", NULL);
	assert_string_equal(text, llama);
	free(text);
	assert_int_equal(modelout_commit(&out, &err), 0);
	modelout_close(&out);
	assert_string_equal(list("out"), "config.json model.safetensors");
	assert_string_equal(list(""), "model out");
	text = get("out/config.json", NULL);
	assert_string_equal(text, gpt2);
	free(text);
	for (size_t f = 0; f < 2; f++) /* reads on */
		if (!strcmp(old.dir.files[f].name, "part-1.safetensors")) {
			assert_int_equal(old.dir.files[f].map.size, n);
			assert_memory_equal(old.dir.files[f].map.data, before, n);
		}
	free(before);
	model_release(&old);

	/* Given up, it leaves what was there. */
	assert_int_equal(modelout_open(&out, path_of("out"), &err), 0);
	assert_int_equal(modelout_copy(&out, path_of("model/config.json"), "config.json", &err), 0);
	modelout_close(&out);
	modelout_close(&out);
	assert_string_equal(list("out"), "config.json model.safetensors");
	assert_string_equal(list(""), "model out");
	assert_int_equal(modelout_open(&out, path_of("new"), &err), 0);
	modelout_close(&out);
	assert_string_equal(list(""), "model out");
	remove_all("out");
	end(&d);
}

/* From now on this process has a kernel that cannot exchange names; false where it cannot be had. */
static bool forget_exchange(void)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RENAME_EXCHANGE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = {sizeof steps / sizeof *steps, steps};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* In a process of its own, whose exit status says at which step it went wrong; 77: cannot be tried here. */
static int replace_without_exchange(void)
{
	struct err err = ERR_INIT;
	struct modelout out;

	if (!forget_exchange())
		return 77;
	errno = 0;
	if (renameat2(AT_FDCWD, path_of("old/notes.txt"), AT_FDCWD, path_of("old/config.json"), RENAME_EXCHANGE) == 0 || errno != EINVAL)
		return 1;
	if (modelout_open(&out, path_of("old"), &err) || modelout_text(&out, "config.json", gpt2, strlen(gpt2), &err) ||
		modelout_commit(&out, &err))
		return 2;
	modelout_close(&out);
	if (strcmp(list(""), "old") || strcmp(list("old"), "config.json"))
		return 3;
	/* A new one that cannot be put there: the old one comes back. */
	if (modelout_open(&out, path_of("old"), &err) || rmdir(out.temporary) || modelout_commit(&out, &err) == 0)
		return 4;
	modelout_close(&out);
	if (!strstr(err.text, "/old: No such file or directory"))
		return 5;
	return strcmp(list(""), "old") || strcmp(list("old"), "config.json") ? 6 : 0;
}

static void replaced_where_names_cannot_be_exchanged(void **state)
{
	int status;
	pid_t child;
	char *text;

	(void)state;
	assert_int_equal(mkdir(path_of("old"), 0777), 0);
	put("old/config.json", llama);
	put("old/notes.txt", "x");
	child = fork();
	if (child == 0)
		_exit(replace_without_exchange());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
	text = get("old/config.json", NULL);
	assert_string_equal(text, gpt2);
	free(text);
}

/* What a link names is replaced, or the link is; either way nothing is left lying about. */
static void links_are_replaced_cleanly(void **state)
{
	struct err err = ERR_INIT;
	struct draft d;
	struct model m;

	(void)state;
	begin(&d, llama);
	open_draft(&d, &m, MODEL_TRAIN);
	save(&m, "real", "model");
	assert_int_equal(symlink("real", path_of("link")), 0);
	m.weights[0] = 77;
	save(&m, "link", "model");
	model_release(&m);
	assert_int_equal(model_open(&m, path_of("link"), MODEL_READ, &err), 0);
	assert_true(*(const float *)m.values[0].data == 77);
	model_release(&m);
	assert_string_equal(list(""), "link model real");
	if (model_open(&m, path_of("real"), MODEL_READ, &err)) /* and nothing was emptied */
		fail_msg("%s", err.text);
	model_release(&m);
	remove_all("link");
	remove_all("real");
	end(&d);
}

static void other_things_are_left_alone(void **state)
{
	struct err err = ERR_INIT;
	struct modelout out;
	char *text;

	(void)state;
	put("file", "precious");
	assert_int_equal(mkdir(path_of("folder"), 0777), 0);
	put("folder/thesis.tex", "precious");
	for (int open = 0; open < 2; open++) {
		static const char *const names[] = {"file", "folder", "folder/", "none/out"};

		for (int i = 0; i < 4; i++) {
			int rc;

			if (open)
				rc = modelout_open(&out, path_of(names[i]), &err);
			else
				rc = modelout_check(path_of(names[i]), &err);
			assert_int_equal(rc, -1);
			assert_int_equal(err.code, ERR_FAILED);
			assert_non_null(strstr(err.text, i < 3 ? "is not a model folder" : "No such file"));
			if (open)
				modelout_close(&out);
		}
	}
	assert_string_equal(list("folder"), "thesis.tex");
	assert_string_equal(list(""), "file folder");
	text = get("file", NULL);
	assert_string_equal(text, "precious");
	free(text);
	put("folder/config.json", "{}");
	assert_int_equal(modelout_check(path_of("folder"), &err), 0);
	assert_int_equal(modelout_check(path_of("new"), &err), 0);
	if (geteuid()) { /* root may write everywhere */
		assert_int_equal(chmod(path_of("folder"), 0555), 0);
		assert_int_equal(modelout_check(path_of("folder/new"), &err), -1);
		assert_int_equal(chmod(path_of("folder"), 0755), 0);
	}
	remove_all("file");
	remove_all("folder");
}

static const void *no_data(void *arg, const struct safetensor *t, struct err *err)
{
	(void)arg;
	err_set(err, ERR_FAILED, "no data for %s", t->name);
	return NULL;
}

static void nothing_is_left_of_a_failure(void **state)
{
	struct safetensors doc = SAFETENSORS_INIT;
	struct rlimit limit, small;
	struct err err = ERR_INIT;
	struct modelout out;
	struct draft d;
	struct model m;

	(void)state;
	assert_int_equal(modelout_open(&out, path_of("out"), &err), 0);
	assert_int_equal(safetensors_add(&doc, "x", F32, 1, (int64_t[]){4}, &err), 0);
	assert_int_equal(modelout_tensors(&out, "model.safetensors", &doc, no_data, NULL, &err), -1);
	assert_non_null(strstr(err.text, "no data for x"));
	modelout_close(&out);
	safetensors_release(&doc);
	assert_string_equal(list(""), "");

	/* The disk is full, at each of many places. */
	begin(&d, llama);
	open_draft(&d, &m, MODEL_TRAIN);
	for (int n = 0; n < 5; n++) {
		char name[40];

		snprintf(name, sizeof name, "model/%s", n == 0 ? "config.json" : n == 1 ? "tokenizer.json" : "merges.txt");
		if (n == 1 || n == 2)
			put(name, "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]");
	}
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	save(&m, "old", "model");
	for (rlim_t most = 0; most < 3200; most += 131) {
		static const char *const names[] = {"new", "old"};

		for (int i = 0; i < 2; i++) {
			int rc;

			small = (struct rlimit){most, limit.rlim_max};
			assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
			rc = model_save(&m, path_of(names[i]), path_of("model"), &err);
			assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
			assert_int_equal(rc, -1);
			assert_int_equal(err.code, ERR_FAILED);
		}
		assert_string_equal(list(""), "model old");
		assert_string_equal(list("old"), "config.json merges.txt model.safetensors tokenizer.json");
	}
	save(&m, "old", "model");
	model_release(&m);
	assert_int_equal(model_open(&m, path_of("old"), MODEL_READ, &err), 0);
	model_release(&m);
	remove_all("old");
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_file, clear),
		cmocka_unit_test_teardown(mapped_or_copied, clear),
		cmocka_unit_test_teardown(every_dtype, clear),
		cmocka_unit_test_teardown(tensors_that_do_not_fit, clear),
		cmocka_unit_test_teardown(buffers_are_ignored, clear),
		cmocka_unit_test_teardown(names_without_prefix, clear),
		cmocka_unit_test_teardown(tied_heads, clear),
		cmocka_unit_test_teardown(shards, clear),
		cmocka_unit_test_teardown(indexes_that_lie, clear),
		cmocka_unit_test_teardown(cut_files, clear),
		cmocka_unit_test_teardown(folders_that_are_none, clear),
		cmocka_unit_test_teardown(digests, clear),
		cmocka_unit_test_teardown(tokenizers_are_told_apart, clear),
		cmocka_unit_test_teardown(saved_as_it_was, clear),
		cmocka_unit_test_teardown(tied_heads_are_saved, clear),
		cmocka_unit_test_teardown(from_nothing, clear),
		cmocka_unit_test_teardown(settings_are_copied, clear),
		cmocka_unit_test_teardown(replaced_at_once, clear),
		cmocka_unit_test_teardown(replaced_where_names_cannot_be_exchanged, clear),
		cmocka_unit_test_teardown(links_are_replaced_cleanly, clear),
		cmocka_unit_test_teardown(other_things_are_left_alone, clear),
		cmocka_unit_test_teardown(nothing_is_left_of_a_failure, clear),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
