#include "tests/unit/support/forge.h"

#include <stdio.h>
#include <string.h>

#include "io/safetensors.h"
#include "io/zip.h"

void forge_member(struct forge *f, char kind, const void *payload, size_t n, uint32_t nrec)
{
	struct member m = {.kind = kind, .nrec = nrec, .seq = f->seq++, .first = f->records};
	struct err err = ERR_INIT;

	f->at[f->n++] = f->out.len;
	assert_int_equal(member_encode(&m, payload, n, kind == 'E' ? 0 : 1, &f->out, &err), 0);
	f->records += nrec;
	if (kind != 'E')
		sha256_add(&f->payloads, payload, n);
}

void forge_meta(struct forge *f, char kind, const char *const *pairs)
{
	struct safetensors doc = SAFETENSORS_INIT;
	struct buf payload = BUF_INIT;
	struct err err = ERR_INIT;
	uint64_t length = MEMBER_END_PAYLOAD - 8;

	for (; *pairs; pairs += 2)
		assert_int_equal(meta_set(&doc.meta, pairs[0], pairs[1], &err), 0);
	assert_int_equal(safetensors_encode(&doc, &payload, &err), 0);
	while (kind == 'E' && payload.len < MEMBER_END_PAYLOAD)
		buf_add_char(&payload, ' ');
	if (kind == 'E')
		memcpy(payload.data, &length, 8);
	forge_member(f, kind, payload.data, payload.len, 0);
	safetensors_release(&doc);
	buf_release(&payload);
}

void forge_head(struct forge *f, const char *vocab)
{
	const char *pairs[] = {
		"format", "tstream", "version", "1.0", "schema", "numbers", "vocab", vocab, NULL};

	f->seq = f->records = 0;
	sha256_init(&f->payloads);
	forge_meta(f, 'H', pairs);
}

void forge_block(struct forge *f, uint32_t n)
{
	struct safetensors doc = SAFETENSORS_INIT;
	struct buf payload = BUF_INIT;
	struct err err = ERR_INIT;
	int64_t shape = n;

	assert_int_equal(safetensors_add(&doc, "x", I64, 1, &shape, &err), 0);
	assert_int_equal(safetensors_encode(&doc, &payload, &err), 0);
	for (int64_t i = 0; i < n; i++)
		buf_add(&payload, &i, sizeof i);
	forge_member(f, 'B', payload.data, payload.len, n);
	safetensors_release(&doc);
	buf_release(&payload);
}

void forge_end(struct forge *f)
{
	char records[24], members[24], hex[65];
	uint8_t digest[32];
	const char *pairs[] = {"records", records, "members", members, "payload.sha256", hex, NULL};

	snprintf(records, sizeof records, "%llu", (unsigned long long)f->records);
	snprintf(members, sizeof members, "%llu", (unsigned long long)f->seq - 1);
	sha256_finish(&f->payloads, digest);
	sha256_hex(digest, hex);
	forge_meta(f, 'E', pairs);
}

struct forge forge_whole(void)
{
	struct forge f = {.out = BUF_INIT};

	forge_head(&f, "7");
	forge_block(&f, 1);
	forge_block(&f, 3);
	forge_block(&f, 3);
	forge_end(&f);
	return f;
}

void forge_patch(struct forge *f, int i, size_t at, const void *bytes, size_t n)
{
	char *head = f->out.data + f->at[i];
	uint32_t crc;

	memcpy(head + at, bytes, n);
	crc = zip_crc32(head, 60);
	memcpy(head + 60, &crc, 4);
}

size_t forge_member_size(const struct forge *f, int i)
{
	return (i + 1 < f->n ? f->at[i + 1] : f->out.len) - f->at[i];
}
