/* Model folders: written as they were read, old or new but never half, and over nothing else. */
#include "tests/unit/support/draft.h"
#include "tests/unit/support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
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

#include "io/modelout.h"

static int setup(void **state)
{
	signal(SIGXFSZ, SIG_IGN); /* a full disk is an error, not an end */
	return folder_open(state);
}

static void save(const struct model *m, const char *out, const char *settings)
{
	struct err err = ERR_INIT;

	if (model_save(m, folder_path(out), folder_path(settings), &err))
		fail_msg("%s", err.text);
}

/* Do both folders have the same tensors, in files of the same names, with the same metadata? */
static void check_like(const struct modeldir *a, const char *folder)
{
	struct modeldir b;
	struct err err = ERR_INIT;

	if (modeldir_open(&b, folder_path(folder), &err))
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
		draft_begin(&d, i & 1 ? draft_gpt2 : draft_llama);
		for (int k = 0; k < d.n; k++)
			d.tensors[k].dtype = types[i / 2 % 4];
		if (i & 1) {
			draft_add(&d, "transformer.h.0.attn.bias", 5, 5)->dtype = U8;
			for (int k = 0; k < d.n; k++)
				if (i & 2)
					memmove(d.tensors[k].name, d.tensors[k].name + 12,
						strlen(d.tensors[k].name) - 11);
		}
		if (i >= 8)
			draft_shard(&d, 3);
		else
			d.metadata = i & 2 ? "{\"format\":\"pt\",\"note\":\"x\"}" : NULL;
		draft_open(&d, &m, MODEL_TRAIN);
		save(&m, "out", "model");
		check_like(&m.dir, "out");
		assert_int_equal(model_open(&again, folder_path("out"), MODEL_TRAIN, &err), 0);
		assert_memory_equal(again.weights, m.weights, m.params.count * sizeof *m.weights);
		if (i & 1) {
			const struct modeldir_tensor *t = modeldir_find(
				&again.dir, i & 2 ? "h.0.attn.bias" : "transformer.h.0.attn.bias");

			for (int k = 0; k < 25; k++)
				assert_int_equal(((const uint8_t *)t->data)[k], 7);
		}
		model_release(&again);

		/* Trained, it is rounded to its dtype. */
		for (size_t k = 0; k < m.params.count; k++)
			m.weights[k] = m.weights[k] * 1.01f + 1e-3f;
		save(&m, "out", "model");
		check_like(&m.dir, "out");
		assert_int_equal(model_open(&again, folder_path("out"), MODEL_TRAIN, &err), 0);
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
		folder_remove("out");
		draft_end(&d);
	}
}

static void tied_heads_are_saved(void **state)
{
	struct err err = ERR_INIT;
	struct draft d;
	struct model m, again;

	(void)state;
	for (int own = 0; own < 2; own++) {
		struct draft_tensor *head;

		draft_begin(&d, draft_llama_tied);
		head = draft_add(&d, "lm_head.weight", 11, 4);
		memcpy(head->values, d.tensors[0].values, 44 * sizeof(float));
		head->values[5] += (float)own;
		draft_open(&d, &m, MODEL_TRAIN);
		m.weights[params_find(&m.params, ROLE_EMBED, 0, false)->offset] = 42;
		if (own)
			m.weights[params_find(&m.params, ROLE_HEAD, 0, false)->offset + 1] = 43;
		save(&m, "out", "model");
		check_like(&m.dir, "out");
		assert_int_equal(model_open(&again, folder_path("out"), MODEL_READ, &err), 0);
		assert_int_equal(again.arch.tied, !own);
		assert_true(*(const float *)model_mat(&again, ROLE_EMBED, 0).data == 42);
		if (own)
			assert_true(((const float *)model_mat(&again, ROLE_HEAD, 0).data)[1] == 43);
		else
			assert_true(
				*(const float *)modeldir_find(&again.dir, "lm_head.weight")->data ==
				42);
		model_release(&again);
		model_release(&m);
		folder_remove("out");
		draft_end(&d);
	}
}

static void from_nothing(void **state)
{
	static const char *const configs[] = {draft_gpt2, draft_llama, draft_llama_tied};
	struct err err = ERR_INIT;
	struct model m, again;

	(void)state;
	assert_int_equal(mkdir(folder_path("settings"), 0777), 0);
	for (int i = 0; i < 3; i++) {
		folder_put("settings/config.json", configs[i]);
		assert_int_equal(model_init(&m, folder_path("settings/config.json"), 5, &err), 0);
		save(&m, "out", "settings");
		assert_string_equal(folder_list("out"), "config.json model.safetensors");
		assert_int_equal(model_open(&again, folder_path("out"), MODEL_TRAIN, &err), 0);
		assert_memory_equal(again.weights, m.weights, m.params.count * sizeof *m.weights);
		assert_string_equal(meta_get(&again.dir.files[0].doc.meta, "format"), "pt");
		for (size_t k = 0; k < again.dir.ntensors; k++)
			assert_int_equal(again.dir.tensors[k].info->dtype, F32);
		assert_null(modeldir_find(&again.dir, i == 1 ? "x" : "lm_head.weight"));
		model_release(&again);
		model_release(&m);
	}
	folder_remove("settings");
	folder_remove("out");
}

static void settings_are_copied(void **state)
{
	static const char *const known[] = {"added_tokens.json", "chat_template.jinja",
		"chat_template.json", "generation_config.json", "merges.txt",
		"special_tokens_map.json", "tokenizer.json", "tokenizer.model",
		"tokenizer_config.json", "vocab.json"};
	struct draft d;
	struct model m;
	char name[100], *text;

	(void)state;
	draft_begin(&d, draft_llama);
	draft_open(&d, &m, MODEL_TRAIN);
	assert_int_equal(mkdir(folder_path("settings"), 0777), 0);
	folder_put("settings/config.json", draft_llama);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		snprintf(name, sizeof name, "settings/%s", known[i]);
		folder_put(name, known[i]);
	}
	folder_put("settings/README.md", "x");
	folder_put("settings/optimizer.pt", "x");
	folder_put("settings/model.safetensors", "x");
	folder_put("settings/tokenizer.json", ""); /* empty ones too */
	save(&m, "out", "settings");
	assert_string_equal(folder_list("out"),
		"added_tokens.json chat_template.jinja chat_template.json config.json "
		"generation_config.json merges.txt model.safetensors special_tokens_map.json "
		"tokenizer.json "
		"tokenizer.model tokenizer_config.json vocab.json");
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		snprintf(name, sizeof name, "out/%s", known[i]);
		text = folder_get(name, NULL);
		assert_string_equal(text, strcmp(known[i], "tokenizer.json") ? known[i] : "");
		free(text);
	}
	folder_remove("settings");
	folder_remove("out");
	model_release(&m);
	draft_end(&d);
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
	draft_begin(&d, draft_llama);
	draft_shard(&d, 2);
	draft_open(&d, &m, MODEL_TRAIN);
	save(&m, "out", "model");
	model_release(&m);
	folder_put("out/notes.txt", "x");
	before = folder_get("out/part-1.safetensors", &n);
	d.shards = 0;
	d.config = draft_gpt2;
	/* Someone still reads. */
	assert_int_equal(model_open(&old, folder_path("out"), MODEL_READ, &err), 0);

	assert_int_equal(modelout_open(&out, folder_path("out///"), &err), 0);
	assert_string_equal(out.path, folder_path("out"));
	assert_int_equal(
		strncmp(out.temporary, folder_path("out.tmp."), strlen(folder_path("out.tmp."))),
		0);
	folder_put("model/config.json", draft_gpt2);
	assert_int_equal(modelout_copy_settings(&out, folder_path("model"), &err), 0);
	assert_int_equal(modelout_copy(&out, folder_path("model/not there"), "x", &err), -1);
	assert_int_equal(
		modelout_copy(&out, folder_path("model/config.json"), "config.json", &err), 0);
	assert_int_equal(modelout_tensors(&out, "model.safetensors", &doc, NULL, NULL, &err), 0);
	assert_string_equal(folder_list("out"), "config.json model.safetensors.index.json "
						"notes.txt part-0.safetensors part-1.safetensors");
	text = folder_get("out/config.json", NULL);
	assert_string_equal(text, draft_llama);
	free(text);
	assert_int_equal(modelout_commit(&out, &err), 0);
	modelout_close(&out);
	assert_string_equal(folder_list("out"), "config.json model.safetensors");
	assert_string_equal(folder_list(""), "model out");
	text = folder_get("out/config.json", NULL);
	assert_string_equal(text, draft_gpt2);
	free(text);
	for (size_t f = 0; f < 2; f++) /* reads on */
		if (!strcmp(old.dir.files[f].name, "part-1.safetensors")) {
			assert_int_equal(old.dir.files[f].map.size, n);
			assert_memory_equal(old.dir.files[f].map.data, before, n);
		}
	free(before);
	model_release(&old);

	/* Given up, it leaves what was there. */
	assert_int_equal(modelout_open(&out, folder_path("out"), &err), 0);
	assert_int_equal(
		modelout_copy(&out, folder_path("model/config.json"), "config.json", &err), 0);
	modelout_close(&out);
	modelout_close(&out);
	assert_string_equal(folder_list("out"), "config.json model.safetensors");
	assert_string_equal(folder_list(""), "model out");
	assert_int_equal(modelout_open(&out, folder_path("new"), &err), 0);
	modelout_close(&out);
	assert_string_equal(folder_list(""), "model out");
	folder_remove("out");
	draft_end(&d);
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

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* In a process of its own, whose exit status says at which step it went wrong; 77: cannot be tried here. */
static int replace_without_exchange(void)
{
	struct err err = ERR_INIT;
	struct modelout out;

	if (!forget_exchange())
		return 77;
	errno = 0;
	if (renameat2(AT_FDCWD, folder_path("old/notes.txt"), AT_FDCWD,
		    folder_path("old/config.json"), RENAME_EXCHANGE) == 0 ||
		errno != EINVAL)
		return 1;
	if (modelout_open(&out, folder_path("old"), &err) ||
		modelout_text(&out, "config.json", draft_gpt2, strlen(draft_gpt2), &err) ||
		modelout_commit(&out, &err))
		return 2;
	modelout_close(&out);
	if (strcmp(folder_list(""), "old") || strcmp(folder_list("old"), "config.json"))
		return 3;
	/* A new one that cannot be put there: the old one comes back. */
	if (modelout_open(&out, folder_path("old"), &err) || rmdir(out.temporary) ||
		modelout_commit(&out, &err) == 0)
		return 4;
	modelout_close(&out);
	if (!strstr(err.text, "/old: No such file or directory"))
		return 5;
	return strcmp(folder_list(""), "old") || strcmp(folder_list("old"), "config.json") ? 6 : 0;
}

static void replaced_where_names_cannot_be_exchanged(void **state)
{
	int status;
	pid_t child;
	char *text;

	(void)state;
	assert_int_equal(mkdir(folder_path("old"), 0777), 0);
	folder_put("old/config.json", draft_llama);
	folder_put("old/notes.txt", "x");
	child = fork();
	if (child == 0)
		_exit(replace_without_exchange());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
	text = folder_get("old/config.json", NULL);
	assert_string_equal(text, draft_gpt2);
	free(text);
}

/* What a link names is replaced, or the link is; either way nothing is left lying about. */
static void links_are_replaced_cleanly(void **state)
{
	struct err err = ERR_INIT;
	struct draft d;
	struct model m;

	(void)state;
	draft_begin(&d, draft_llama);
	draft_open(&d, &m, MODEL_TRAIN);
	save(&m, "real", "model");
	assert_int_equal(symlink("real", folder_path("link")), 0);
	m.weights[0] = 77;
	save(&m, "link", "model");
	model_release(&m);
	assert_int_equal(model_open(&m, folder_path("link"), MODEL_READ, &err), 0);
	assert_true(*(const float *)m.values[0].data == 77);
	model_release(&m);
	assert_string_equal(folder_list(""), "link model real");
	if (model_open(&m, folder_path("real"), MODEL_READ, &err)) /* and nothing was emptied */
		fail_msg("%s", err.text);
	model_release(&m);
	folder_remove("link");
	folder_remove("real");
	draft_end(&d);
}

static void other_things_are_left_alone(void **state)
{
	struct err err = ERR_INIT;
	struct modelout out;
	char *text;

	(void)state;
	folder_put("file", "precious");
	assert_int_equal(mkdir(folder_path("folder"), 0777), 0);
	folder_put("folder/thesis.tex", "precious");
	for (int open = 0; open < 2; open++) {
		static const char *const names[] = {"file", "folder", "folder/", "none/out"};

		for (int i = 0; i < 4; i++) {
			int rc;

			if (open)
				rc = modelout_open(&out, folder_path(names[i]), &err);
			else
				rc = modelout_check(folder_path(names[i]), &err);
			assert_int_equal(rc, -1);
			assert_int_equal(err.code, ERR_FAILED);
			assert_non_null(
				strstr(err.text, i < 3 ? "is not a model folder" : "No such file"));
			if (open)
				modelout_close(&out);
		}
	}
	assert_string_equal(folder_list("folder"), "thesis.tex");
	assert_string_equal(folder_list(""), "file folder");
	text = folder_get("file", NULL);
	assert_string_equal(text, "precious");
	free(text);
	folder_put("folder/config.json", "{}");
	assert_int_equal(modelout_check(folder_path("folder"), &err), 0);
	assert_int_equal(modelout_check(folder_path("new"), &err), 0);
	if (geteuid()) { /* root may write everywhere */
		assert_int_equal(chmod(folder_path("folder"), 0555), 0);
		assert_int_equal(modelout_check(folder_path("folder/new"), &err), -1);
		assert_int_equal(chmod(folder_path("folder"), 0755), 0);
	}
	folder_remove("file");
	folder_remove("folder");
}

static const void *no_data(void *arg, const struct safetensor *t, struct err *err)
{
	(void)arg;
	err_set(err, ERR_FAILED, "no data for %s", t->name);
	return NULL;
}

static void nothing_is_left_of_a_failure(void **state)
{
	static const char numbers[] =
		"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]";
	struct safetensors doc = SAFETENSORS_INIT;
	struct rlimit limit, small;
	struct err err = ERR_INIT;
	struct modelout out;
	struct draft d;
	struct model m;

	(void)state;
	assert_int_equal(modelout_open(&out, folder_path("out"), &err), 0);
	assert_int_equal(safetensors_add(&doc, "x", F32, 1, (int64_t[]){4}, &err), 0);
	assert_int_equal(
		modelout_tensors(&out, "model.safetensors", &doc, no_data, NULL, &err), -1);
	assert_non_null(strstr(err.text, "no data for x"));
	modelout_close(&out);
	safetensors_release(&doc);
	assert_string_equal(folder_list(""), "");

	/* The disk is full, at each of many places. */
	draft_begin(&d, draft_llama);
	draft_open(&d, &m, MODEL_TRAIN);
	folder_put("model/tokenizer.json", numbers);
	folder_put("model/merges.txt", numbers);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	save(&m, "old", "model");
	for (rlim_t most = 0; most < 3200; most += 131) {
		static const char *const names[] = {"new", "old"};

		for (int i = 0; i < 2; i++) {
			int rc;

			small = (struct rlimit){most, limit.rlim_max};
			assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
			rc = model_save(&m, folder_path(names[i]), folder_path("model"), &err);
			assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
			assert_int_equal(rc, -1);
			assert_int_equal(err.code, ERR_FAILED);
		}
		assert_string_equal(folder_list(""), "model old");
		assert_string_equal(folder_list("old"),
			"config.json merges.txt model.safetensors tokenizer.json");
	}
	save(&m, "old", "model");
	model_release(&m);
	assert_int_equal(model_open(&m, folder_path("old"), MODEL_READ, &err), 0);
	model_release(&m);
	folder_remove("old");
	draft_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(saved_as_it_was, folder_clear),
		cmocka_unit_test_teardown(tied_heads_are_saved, folder_clear),
		cmocka_unit_test_teardown(from_nothing, folder_clear),
		cmocka_unit_test_teardown(settings_are_copied, folder_clear),
		cmocka_unit_test_teardown(replaced_at_once, folder_clear),
		cmocka_unit_test_teardown(replaced_where_names_cannot_be_exchanged, folder_clear),
		cmocka_unit_test_teardown(links_are_replaced_cleanly, folder_clear),
		cmocka_unit_test_teardown(other_things_are_left_alone, folder_clear),
		cmocka_unit_test_teardown(nothing_is_left_of_a_failure, folder_clear),
	};

	return cmocka_run_group_tests(tests, setup, folder_close);
}
