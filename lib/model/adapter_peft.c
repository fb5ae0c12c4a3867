/*
 * Adapters on disk. PEFT's folder is adapter_config.json beside adapter_model.safetensors, whose tensors are named
 * base_model.model.MODULE.lora_A.weight, .lora_B.weight and, for DoRA, .lora_magnitude_vector.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "io/modelout.h"
#include "model/adapter_impl.h"

#define CONFIG "adapter_config.json"
#define TENSORS "adapter_model.safetensors"

/* ---- writing */

/* The names of the adapted modules, as PEFT looks for them: as they were asked for, or the last part of each. */
static void put_targets(struct buf *out, const struct model *m)
{
	const struct adapter *a = m->adapter;
	const char *seen[ROLE_COUNT] = {NULL};
	size_t n = 0;

	for (const char *t = a->targets; t && *t;) {
		size_t k = strcspn(t, ",");

		buf_add_str(out, t == a->targets ? "" : ",");
		json_quote(out, t, k);
		t += k + (t[k] == ',');
	}
	for (size_t i = 0; !a->targets && i < m->params.n; i++) {
		const struct param *p = &m->params.param[i];
		const char *end = p->name + adapter_module_length(p), *last = end;
		bool old = !a->mat[i].rank;

		while (!old && last > p->name && last[-1] != '.')
			last--;
		for (size_t k = 0; k < n; k++)
			old = old || !strncmp(seen[k], last, (size_t)(end - last) + 1);
		if (old)
			continue;
		buf_add_str(out, n ? "," : "");
		json_quote(out, last, (size_t)(end - last));
		seen[n++] = last;
	}
}

static const char *truth(bool x)
{
	return x ? "true" : "false";
}

int adapter_describe(const struct model *m, const char *base, struct buf *out, struct err *err)
{
	const struct adapter_options *o = &m->adapter->o;
	struct buf targets = BUF_INIT, name = BUF_INIT, alpha = BUF_INIT, dropout = BUF_INIT;
	int rc;

	put_targets(&targets, m);
	json_quote(&name, base, strlen(base));
	json_put_number(&alpha, o->alpha);
	json_put_number(&dropout, o->dropout);
	rc = buf_check(&targets, err) || buf_check(&name, err) || buf_check(&alpha, err) || buf_check(&dropout, err);
	if (rc == 0)
		buf_add_fmt(out,
			"{\n  \"alpha_pattern\": {},\n  \"auto_mapping\": null,\n  \"base_model_name_or_path\": %s,\n"
			"  \"bias\": \"none\",\n  \"exclude_modules\": null,\n  \"fan_in_fan_out\": %s,\n"
			"  \"inference_mode\": true,\n  \"init_lora_weights\": true,\n  \"layer_replication\": null,\n"
			"  \"layers_pattern\": null,\n  \"layers_to_transform\": null,\n  \"loftq_config\": {},\n"
			"  \"lora_alpha\": %s,\n  \"lora_bias\": false,\n  \"lora_dropout\": %s,\n"
			"  \"megatron_config\": null,\n  \"megatron_core\": \"megatron.core\",\n"
			"  \"modules_to_save\": null,\n  \"peft_type\": \"LORA\",\n  \"r\": %lld,\n"
			"  \"rank_pattern\": {},\n  \"revision\": null,\n  \"target_modules\": [%s],\n"
			"  \"task_type\": \"CAUSAL_LM\",\n  \"use_dora\": %s,\n  \"use_rslora\": %s\n}\n",
			name.data, truth(m->arch.in_first), alpha.data, dropout.data, (long long)o->rank, targets.data,
			truth(o->dora), truth(o->rslora));
	buf_release(&targets);
	buf_release(&name);
	buf_release(&alpha);
	buf_release(&dropout);
	return rc || buf_check(out, err) ? -1 : 0;
}

static const void *data_of(void *arg, const struct safetensor *t, struct err *err)
{
	const struct adapter *a = arg;

	(void)err;
	for (size_t i = 0; i < a->params.n; i++)
		if (!strcmp(a->params.param[i].name, t->name))
			return a->weights + a->params.param[i].offset;
	return NULL;
}

int adapter_save(const struct model *m, const char *path, const char *base, const char *settings, struct err *err)
{
	const struct adapter *a = m->adapter;
	struct safetensors doc = SAFETENSORS_INIT;
	struct buf config = BUF_INIT;
	struct modelout out;
	int rc = modelout_open(&out, path, err) || adapter_describe(m, base, &config, err) ||
		modelout_text(&out, CONFIG, config.data, config.len, err) ||
		modelout_copy_settings(&out, settings, err) || meta_set(&doc.meta, "format", "pt", err);

	for (size_t i = 0; rc == 0 && i < a->params.n; i++) {
		const struct param *p = &a->params.param[i];

		rc = safetensors_add(&doc, p->name, F32, p->rank, p->shape, err);
	}
	rc = rc || modelout_tensors(&out, TENSORS, &doc, data_of, m->adapter, err) || modelout_commit(&out, err);
	modelout_close(&out);
	safetensors_release(&doc);
	buf_release(&config);
	return rc ? -1 : 0;
}

/* ---- reading */

bool adapter_is_folder(const char *path)
{
	struct err ignored = ERR_INIT;
	char *config = path_join(path, CONFIG, &ignored);
	bool is = config && access(config, F_OK) == 0;

	free(config);
	return is;
}

/* Is it null, false, or empty? */
static bool is_nothing(const struct json *v)
{
	bool truth;

	switch (json_kind(v)) {
	case JSON_NONE:
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return json_bool(v, &truth) && !truth;
	case JSON_ARRAY:
	case JSON_OBJECT:
		return json_count(v) == 0;
	default:
		return false;
	}
}

/* Settings that change what an adapter is. Others say how it was made. */
static int check_config(const struct json *c, struct err *err)
{
	static const char *const unsupported[] = {"alpha_pattern", "modules_to_save", "layer_replication", "lora_bias",
		"trainable_token_indices", "target_parameters", "use_qalora", "alora_invocation_tokens", NULL};
	const char *type = json_text(json_get(c, "peft_type")), *bias = json_text(json_get(c, "bias")),
		   *init = json_text(json_get(c, "init_lora_weights"));

	if (!type || strcmp(type, "LORA"))
		return err_set(err, ERR_MISMATCH, "adapters of peft_type %.40s are not supported", type ? type : "(none)");
	if (bias && strcmp(bias, "none"))
		return err_set(err, ERR_MISMATCH, "an adapter with bias '%.40s' is not supported", bias);
	if (init && strcmp(init, "gaussian") && strcmp(init, "eva") && strcmp(init, "orthogonal"))
		return err_set(err, ERR_MISMATCH,
			"init_lora_weights '%.40s' changes the base model: PEFT can convert such an adapter", init);
	for (const char *const *key = unsupported; *key; key++)
		if (!is_nothing(json_get(c, *key)))
			return err_set(err, ERR_MISMATCH, "an adapter with %s is not supported", *key);
	return 0;
}

static bool flag(const struct json *c, const char *key)
{
	bool x = false;

	return json_bool(json_get(c, key), &x) && x;
}

static int read_config(struct adapter_options *o, const struct json *c, struct err *err)
{
	*o = (struct adapter_options)ADAPTER_DEFAULTS;
	if (check_config(c, err))
		return -1;
	if (!json_int(json_get(c, "r"), &o->rank) || o->rank < 1 || o->rank > 65536)
		return err_set(err, ERR_CORRUPT, "r is no rank");
	if (!json_number(json_get(c, "lora_alpha"), &o->alpha) || !(o->alpha > 0 && o->alpha < 1e9))
		return err_set(err, ERR_CORRUPT, "lora_alpha is no positive number");
	if (!is_nothing(json_get(c, "lora_dropout")) &&
		(!json_number(json_get(c, "lora_dropout"), &o->dropout) || !(o->dropout >= 0 && o->dropout < 1)))
		return err_set(err, ERR_CORRUPT, "lora_dropout is not within [0, 1)");
	o->rslora = flag(c, "use_rslora");
	o->dora = flag(c, "use_dora");
	return 0;
}

/* The parameter that a tensor adapts, and which end its name has; NULL: none. */
static const struct param *adapted(const struct model *m, const char *name, const char **what)
{
	static const char prefix[] = "base_model.model.";
	static const char *const ends[] = {".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector",
		".lora_magnitude_vector.weight"};
	size_t n = strlen(name);

	if (strncmp(name, prefix, sizeof prefix - 1))
		return NULL;
	for (size_t e = 0; e < 4; e++) {
		size_t k = strlen(ends[e]), module = n - k - (sizeof prefix - 1);

		if (n < k + sizeof prefix || strcmp(name + n - k, ends[e]))
			continue;
		*what = ends[e] + 1;
		for (size_t i = 0; i < m->params.n; i++) {
			const struct param *p = &m->params.param[i];

			if (adapter_can_have(p) && adapter_module_length(p) == module &&
				!memcmp(p->name, name + sizeof prefix - 1, module))
				return p;
		}
	}
	return NULL;
}

/* The ranks of matrices, which are the shapes of their A. */
static int find_ranks(struct adapter *a, const struct model *m, const struct modeldir *dir, struct err *err)
{
	for (size_t i = 0; i < dir->ntensors; i++) {
		const struct safetensor *t = dir->tensors[i].info;
		const char *what;
		const struct param *p = adapted(m, t->name, &what);

		if (!p)
			return err_set(err, ERR_MISMATCH, "tensor '%s' adapts no matrix of this model's layers", t->name);
		if (strcmp(what, "lora_A.weight"))
			continue;
		if (t->rank != 2 || t->shape[0] < 1)
			return err_set(err, ERR_CORRUPT, "tensor '%s' is no matrix", t->name);
		a->mat[p - m->params.param].rank = t->shape[0];
	}
	return 0;
}

static int fill_weights(const struct model *m, const struct modeldir *dir, struct err *err)
{
	const struct adapter *a = m->adapter;
	char other[300];

	if (dir->ntensors != a->params.n)
		return err_set(err, ERR_MISMATCH, "%zu tensors, %zu are needed by what its lora_A are for", dir->ntensors,
			a->params.n);
	for (size_t i = 0; i < a->params.n; i++) {
		const struct param *p = &a->params.param[i];
		const struct modeldir_tensor *t = modeldir_find(dir, p->name);
		enum dtype type;

		snprintf(other, sizeof other, "%s.weight", p->name);
		t = t ? t : modeldir_find(dir, other);
		if (!t)
			return err_set(err, ERR_MISMATCH, "tensor '%s' is missing", p->name);
		type = t->info->dtype;
		if (t->info->rank != p->rank || t->info->shape[0] != p->shape[0] ||
			(p->rank == 2 && t->info->shape[1] != p->shape[1]))
			return err_set(err, ERR_MISMATCH, "tensor '%s' does not have the shape [%lld, %lld]", p->name,
				(long long)p->shape[0], (long long)p->shape[1]);
		if (type != F32 && type != F16 && type != BF16 && type != F64)
			return err_set(err, ERR_MISMATCH, "tensor '%s' is %s, not F32, F16, BF16 or F64", p->name,
				dtype_name(type));
		dtype_to_f32(a->weights + p->offset, t->data, type, p->count);
	}
	return 0;
}

static int load(struct model *m, struct modeldir *dir, struct err *err)
{
	struct adapter_options o;
	struct adapter *a = read_config(&o, dir->config, err) ? NULL : adapter_blank(m, &o, err);

	if (!a)
		return -1;
	if (find_ranks(a, m, dir, err)) {
		adapter_free(a);
		return -1;
	}
	return adapter_attach(m, a, err) || fill_weights(m, dir, err) ? -1 : 0;
}

static int digest_of(const struct modeldir *dir, char digest[65], struct err *err)
{
	struct sha256 s;
	struct buf config = BUF_INIT;
	uint8_t bytes[32];
	int rc;

	json_write(&config, dir->config);
	rc = buf_check(&config, err) || modeldir_digest(dir, false, digest, err);
	if (rc == 0) {
		sha256_init(&s);
		sha256_add(&s, config.data, config.len);
		sha256_add(&s, digest, strlen(digest));
		sha256_finish(&s, bytes);
		sha256_hex(bytes, digest);
	}
	buf_release(&config);
	return rc ? -1 : 0;
}

int adapter_load(struct model *m, const char *path, char digest[65], struct err *err)
{
	struct modeldir dir;
	int rc = modeldir_open_as(&dir, path, CONFIG, TENSORS, err) || digest_of(&dir, digest, err);

	if (rc == 0 && load(m, &dir, err))
		rc = err_at(err, "%s", path);
	modeldir_release(&dir);
	return rc ? -1 : 0;
}

int adapter_from_text(struct model *m, const char *text, struct err *err)
{
	struct json *c = json_parse(text, strlen(text), err);
	struct adapter_options o;
	struct buf targets = BUF_INIT;
	int rc = c ? read_config(&o, c, err) : -1;

	for (const struct json *t = json_first(json_get(c, "target_modules")); rc == 0 && t; t = json_next(t))
		buf_add_fmt(&targets, "%s%s", targets.len ? "," : "", json_text(t) ? json_text(t) : "");
	rc = rc || buf_check(&targets, err) ? -1 : 0;
	if (rc == 0) {
		o.targets = targets.data;
		rc = adapter_new(m, &o, 0, err);
	}
	buf_release(&targets);
	json_free(c);
	return rc;
}
