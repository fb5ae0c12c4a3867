/* Model folders: read in every layout and dtype, or refused by the tensor's name. */
#include "tests/unit/support/check.h"
#include "tests/unit/support/draft.h"
#include "tests/unit/support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what opening a draft should come to */

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

		draft_open(d, &m, use);
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

		draft_write(d);
		if (model_open(&m, folder_path("model"), use, &err) == 0)
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
	static const char *const configs[] = {draft_gpt2, draft_llama, draft_llama_tied};
	struct model m;
	struct draft d;

	(void)state;
	for (int i = 0; i < 3; i++) {
		draft_begin(&d, configs[i]);
		check_good(&d);
		d.backwards = true;
		d.metadata = "{\"format\":\"pt\"}";
		check_good(&d);
		draft_open(&d, &m, MODEL_READ);
		assert_int_equal(m.dir.ntensors, d.n);
		assert_false(m.dir.sharded);
		for (size_t k = 1; k < m.dir.ntensors; k++)
			assert_true(strcmp(m.dir.tensors[k - 1].info->name, m.dir.tensors[k].info->name) < 0);
		for (int k = 0; k < d.n; k++)
			assert_string_equal(modeldir_find(&m.dir, d.tensors[k].name)->info->name, d.tensors[k].name);
		assert_null(modeldir_find(&m.dir, "nothing"));
		assert_null(modeldir_find(&m.dir, ""));
		model_release(&m);
		draft_end(&d);
	}
}

/* F32 is read where it lies, unless it lies askew. */
static void mapped_or_copied(void **state)
{
	struct draft d;
	struct model m;

	(void)state;
	draft_begin(&d, draft_llama);
	for (d.pad = 0; d.pad < 8; d.pad++) {
		const void *mapped;

		draft_open(&d, &m, MODEL_READ);
		mapped = modeldir_find(&m.dir, m.params.param[0].name)->data;
		check_values(&d, &m);
		assert_true((m.values[0].data == mapped) == (m.dir.files[0].doc.data % sizeof(float) == 0));
		model_release(&m);
		check_good(&d);
	}
	draft_end(&d);
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
	draft_begin(&d, draft_llama);
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
		const struct draft_tensor *n = draft_find(&d, "model.norm.weight");
		const void *bits = t == 1 ? (const void *)half : t == 2 ? (const void *)brain : wide;
		const float *want = t == 1 ? want_half : t == 2 ? want_brain : want_wide;

		draft_find(&d, "model.norm.weight")->dtype = types[t];
		for (int shift = 0; shift < 2; shift++) {
			const struct modeldir_tensor *in;
			size_t at;
			FILE *f;

			draft_open(&d, &m, MODEL_READ);
			in = modeldir_find(&m.dir, n->name);
			at = (size_t)((const uint8_t *)in->data - in->file->map.data);
			model_release(&m);
			f = fopen(folder_path("model/model.safetensors"), "r+");
			assert_non_null(f);
			assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
			assert_int_equal(fwrite((const char *)bits + (size_t)shift * dtype_size(types[t]),
						 dtype_size(types[t]), 4, f),
				4);
			assert_int_equal(fclose(f), 0);
			assert_int_equal(model_open(&m, folder_path("model"), MODEL_READ, &(struct err)ERR_INIT), 0);
			assert_memory_equal(model_vector(&m, ROLE_NORM, 0, false), want + shift, 4 * sizeof(float));
			model_release(&m);
		}
	}
	draft_end(&d);
}

static void tensors_that_do_not_fit(void **state)
{
	static const enum dtype no_floats[] = {I64, I32, I16, I8, U8, BOOL};
	struct draft d;
	struct draft_tensor *t;

	(void)state;
	draft_begin(&d, draft_gpt2);
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
	t = draft_find(&d, "transformer.h.0.attn.c_attn.weight"); /* as a Linear would have it */
	t->shape[0] = 12, t->shape[1] = 4;
	check_bad(&d, ERR_MISMATCH, "'transformer.h.0.attn.c_attn.weight' is [12, 4], the config says [4, 12]");
	t->shape[0] = 4, t->shape[1] = 12;
	t->shape[0] = 48, t->rank = 1;
	check_bad(&d, ERR_MISMATCH, "'transformer.h.0.attn.c_attn.weight' is [48, 1]");
	t->shape[0] = 4, t->rank = 3, t->shape[2] = 1;
	check_bad(&d, ERR_MISMATCH, "'transformer.h.0.attn.c_attn.weight'");
	t->rank = 2;
	t = draft_find(&d, "transformer.ln_f.bias");
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
	t = draft_add(&d, "transformer.h.1.ln_1.weight", 4, 0);
	check_bad(&d, ERR_MISMATCH, "'transformer.h.1.ln_1.weight' is not known in a model of type gpt2");
	snprintf(t->name, sizeof t->name, "v_head.summary.weight");
	check_bad(&d, ERR_MISMATCH, "'v_head.summary.weight'");
	snprintf(t->name, sizeof t->name, "lm_head.weight"); /* tied, but of another shape: it is its own */
	check_bad(&d, ERR_MISMATCH, "'lm_head.weight'");
	draft_end(&d);
}

/* Buffers that old checkpoints carry along. */
static void buffers_are_ignored(void **state)
{
	struct draft d;

	(void)state;
	draft_begin(&d, draft_gpt2);
	draft_add(&d, "transformer.h.0.attn.bias", 5, 5)->dtype = BOOL;
	draft_add(&d, "transformer.h.0.attn.masked_bias", 1, 0)->rank = 0;
	check_good(&d);
	draft_add(&d, "transformer.h.0.rotary_emb.inv_freq", 5, 0);
	check_bad(&d, ERR_MISMATCH, "'transformer.h.0.rotary_emb.inv_freq'");
	draft_end(&d);
	draft_begin(&d, draft_llama);
	draft_add(&d, "model.layers.0.self_attn.rotary_emb.inv_freq", 1, 0);
	check_good(&d);
	draft_add(&d, "model.layers.0.self_attn.q_proj.bias", 4, 0);
	check_bad(&d, ERR_MISMATCH, "'model.layers.0.self_attn.q_proj.bias'");
	draft_end(&d);
}

static void names_without_prefix(void **state)
{
	struct draft d;

	(void)state;
	draft_begin(&d, draft_gpt2);
	for (int i = 0; i < d.n; i++)
		memmove(d.tensors[i].name, d.tensors[i].name + 12, strlen(d.tensors[i].name) - 11);
	assert_string_equal(d.tensors[0].name, "wte.weight");
	check_good(&d);
	d.tensors[3].gone = true;
	check_bad(&d, ERR_MISMATCH, "'transformer.h.0.ln_1.bias' is missing");
	draft_end(&d);
	draft_begin(&d, draft_llama); /* whose prefix is no option */
	memmove(d.tensors[0].name, d.tensors[0].name + 6, strlen(d.tensors[0].name) - 5);
	check_bad(&d, ERR_MISMATCH, "'embed_tokens.weight' is not known");
	draft_end(&d);
}

static void tied_heads(void **state)
{
	struct draft_tensor *head, *embed;
	struct draft d;
	struct model m;

	(void)state;
	for (int prefix = 0; prefix < 3; prefix++) {
		draft_begin(&d, prefix < 2 ? draft_gpt2 : draft_llama_tied);
		if (prefix == 1)
			for (int i = 0; i < d.n; i++)
				memmove(d.tensors[i].name, d.tensors[i].name + 12, strlen(d.tensors[i].name) - 11);
		embed = &d.tensors[0];
		draft_open(&d, &m, MODEL_READ);
		assert_true(m.arch.tied);
		assert_null(model_mat(&m, ROLE_HEAD, 0).data);
		model_release(&m);
		head = draft_add(&d, "lm_head.weight", 11, 4);
		memcpy(head->values, embed->values, 44 * sizeof(float)); /* there, and the same */
		draft_open(&d, &m, MODEL_READ);
		assert_true(m.arch.tied);
		model_release(&m);
		head->values[43] += 1; /* there, and another: then it is what counts */
		draft_open(&d, &m, MODEL_READ);
		assert_false(m.arch.tied);
		assert_memory_equal(model_mat(&m, ROLE_HEAD, 0).data, head->values, 44 * sizeof(float));
		model_release(&m);
		check_good(&d);
		head->dtype = BF16;
		check_good(&d);
		draft_end(&d);
	}
}

static void shards(void **state)
{
	struct draft_tensor *t;
	struct draft d;
	struct model m;

	(void)state;
	for (int n = 1; n < 6; n++) {
		draft_begin(&d, n % 2 ? draft_gpt2 : draft_llama);
		draft_shard(&d, n);
		check_good(&d);
		draft_open(&d, &m, MODEL_READ);
		assert_true(m.dir.sharded);
		assert_int_equal(m.dir.nfiles, n);
		assert_int_equal(m.dir.ntensors, d.n);
		model_release(&m);
		draft_end(&d);
	}
	draft_begin(&d, draft_gpt2);
	draft_shard(&d, 2);
	t = draft_add(&d, "transformer.wpe.weight", 5, 4); /* once more, in the other shard */
	t->file = 1 - draft_find(&d, "transformer.wpe.weight")->file;
	check_bad(&d, ERR_CORRUPT, "'transformer.wpe.weight' is in two shards");
	d.n--;
	free(t->values);

	/* A file that the index names must be there; one that it does not name is not looked at. */
	draft_write(&d);
	folder_put("model/model.safetensors", "no safetensors");
	assert_int_equal(model_open(&m, folder_path("model"), MODEL_READ, &(struct err)ERR_INIT), 0);
	model_release(&m);
	assert_int_equal(unlink(folder_path("model/part-1.safetensors")), 0);
	{
		struct err err = ERR_INIT;

		assert_int_equal(model_open(&m, folder_path("model"), MODEL_READ, &err), -1);
		assert_int_equal(err.code, ERR_FAILED);
		assert_non_null(strstr(err.text, "part-1.safetensors"));
		model_release(&m);
	}
	draft_end(&d);
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
	draft_begin(&d, draft_gpt2);
	draft_shard(&d, 2);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		d.index = bad[i].index;
		check_bad(&d, bad[i].code, bad[i].says);
	}
	for (int i = 0; i < 2; i++) { /* the folder itself is no file */
		struct err err = ERR_INIT;

		snprintf(index, sizeof index, "{\"weight_map\":{\"a\":\"%s\"}}", folders[i]);
		d.index = index;
		draft_write(&d);
		assert_int_equal(model_open(&m, folder_path("model"), MODEL_READ, &err), -1);
		assert_true(err.code == ERR_FAILED || err.code == ERR_CORRUPT);
		model_release(&m);
	}
	draft_end(&d);
}

static void cut_files(void **state)
{
	struct draft d;
	size_t n;

	(void)state;
	draft_begin(&d, draft_gpt2);
	for (int sharded = 0; sharded < 2; sharded++) {
		const char *name = sharded ? "model/part-1.safetensors" : "model/model.safetensors";
		char *bytes;

		if (sharded)
			draft_shard(&d, 2);
		draft_write(&d);
		bytes = folder_get(name, &n);
		for (size_t cut = 0; cut <= n + 1; cut++) {
			struct err err = ERR_INIT;
			struct model m;
			int rc;

			if (cut <= n)
				folder_put_bytes(name, bytes, cut);
			else
				folder_put_bytes(name, bytes, n + 1); /* the zero byte behind them: one too many */
			rc = model_open(&m, folder_path("model"), MODEL_READ, &err);
			assert_int_equal(rc, cut == n ? 0 : -1);
			if (rc) {
				assert_int_equal(err.code, ERR_CORRUPT);
				assert_non_null(strstr(err.text, name + strlen("model/")));
			}
			model_release(&m);
		}
		free(bytes);
	}
	draft_end(&d);
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
	assert_int_equal(model_open(&m, folder_path("model"), MODEL_READ, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	assert_non_null(strstr(err.text, "model/config.json: No such file"));
	model_release(&m);
	draft_begin(&d, draft_gpt2);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		d.config = bad[i].config;
		check_bad_as(&d, bad[i].code, bad[i].says, "config.json");
	}
	d.config = draft_gpt2;
	draft_write(&d);
	assert_int_equal(unlink(folder_path("model/model.safetensors")), 0);
	assert_int_equal(model_open(&m, folder_path("model"), MODEL_READ, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	assert_non_null(strstr(err.text, "model/model.safetensors: No such file"));
	model_release(&m);
	draft_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_file, folder_clear),
		cmocka_unit_test_teardown(mapped_or_copied, folder_clear),
		cmocka_unit_test_teardown(every_dtype, folder_clear),
		cmocka_unit_test_teardown(tensors_that_do_not_fit, folder_clear),
		cmocka_unit_test_teardown(buffers_are_ignored, folder_clear),
		cmocka_unit_test_teardown(names_without_prefix, folder_clear),
		cmocka_unit_test_teardown(tied_heads, folder_clear),
		cmocka_unit_test_teardown(shards, folder_clear),
		cmocka_unit_test_teardown(indexes_that_lie, folder_clear),
		cmocka_unit_test_teardown(cut_files, folder_clear),
		cmocka_unit_test_teardown(folders_that_are_none, folder_clear),
	};

	return cmocka_run_group_tests(tests, folder_open, folder_close);
}
