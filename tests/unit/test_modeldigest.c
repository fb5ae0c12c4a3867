/* Model folders: identified by their tensors whatever the sharding, and by their tokenizer. */
#include "tests/unit/support/draft.h"
#include "tests/unit/support/folder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/sha256.h"

static void digest_of(struct draft *d, char hex[65])
{
	struct modeldir m;
	struct err err = ERR_INIT;
	char kept[65];

	draft_write(d);
	assert_int_equal(modeldir_open(&m, folder_path("model"), &err), 0);
	assert_int_equal(modeldir_digest(&m, true, kept, &err), 0);
	assert_int_equal(modeldir_digest(&m, false, hex, &err), 0);
	assert_int_equal(strlen(hex), 64);
	assert_string_equal(kept, hex);
	modeldir_release(&m);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
		((const struct draft_tensor *)a)->name, ((const struct draft_tensor *)b)->name);
}

/* By its definition. */
static void digest_again(const struct draft *d, char hex[65])
{
	struct draft_tensor *t = malloc(sizeof d->tensors);
	struct buf text = BUF_INIT;
	struct sha256 h;
	uint8_t digest[32];

	assert_non_null(t);
	memcpy(t, d->tensors, sizeof d->tensors);
	qsort(t, (size_t)d->n, sizeof *t, by_name);
	for (int i = 0; i < d->n; i++) {
		sha256_init(&h);
		sha256_add(&h, t[i].values, draft_count(&t[i]) * sizeof(float));
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
	struct draft_tensor *t;
	struct draft d;

	(void)state;
	draft_begin(&d, draft_gpt2);
	digest_of(&d, first);
	digest_again(&d, hex);
	assert_string_equal(first, hex);
	/* What does not matter: sharding, order, padding, metadata, config. */
	for (int n = 1; n < 4; n++) {
		draft_shard(&d, n);
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
	t = draft_find(&d, "transformer.wpe.weight");
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
	draft_add(&d, "x", 1, 0);
	digest_of(&d, hex);
	assert_string_not_equal(hex, first);
	draft_end(&d);
}

static void tokenizers_are_told_apart(void **state)
{
	struct err err = ERR_INIT;
	char hex[65];

	(void)state;
	assert_int_equal(mkdir(folder_path("model"), 0777), 0);
	assert_int_equal(modeldir_tokenizer_sha256(folder_path("model"), hex, &err), 0);
	assert_string_equal(hex, "");
	folder_put("model/tokenizer.json", "");
	assert_int_equal(modeldir_tokenizer_sha256(folder_path("model"), hex, &err), 0);
	assert_string_equal(
		hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	folder_put("model/tokenizer.json", "abc");
	assert_int_equal(modeldir_tokenizer_sha256(folder_path("model"), hex, &err), 0);
	assert_string_equal(
		hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	folder_remove("model");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(digests, folder_clear),
		cmocka_unit_test_teardown(tokenizers_are_told_apart, folder_clear),
	};

	return cmocka_run_group_tests(tests, folder_open, folder_close);
}
