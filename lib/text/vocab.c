#include "text/vocab.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void vocab_release(struct vocab *v)
{
	free(v->slots);
	free(v->keys);
	*v = (struct vocab)VOCAB_INIT;
}

/* The slot that holds key, or the empty one where it would go. */
static struct vocab_slot *find(const struct vocab *v, const char *key, size_t n, uint32_t hash)
{
	struct vocab_slot *slot;

	for (size_t i = hash & v->mask;; i = (i + 1) & v->mask) {
		slot = &v->slots[i];
		if (slot->id < 0 ||
			(slot->hash == hash && slot->n == n && !memcmp(v->keys + slot->at, key, n)))
			return slot;
	}
}

static int grow(struct vocab *v, struct err *err)
{
	size_t size = v->slots ? (v->mask + 1) * 2 : 64, old = v->slots ? v->mask + 1 : 0;
	struct vocab_slot *slots = mem_new(size, sizeof *slots, err), *from = v->slots;
	size_t at;

	if (!slots)
		return -1;
	for (size_t i = 0; i < size; i++)
		slots[i].id = -1;
	v->slots = slots;
	v->mask = size - 1;
	for (size_t i = 0; i < old; i++) {
		if (from[i].id < 0)
			continue;
		for (at = from[i].hash & v->mask; slots[at].id >= 0;)
			at = (at + 1) & v->mask;
		slots[at] = from[i];
	}
	free(from);
	return 0;
}

int vocab_put(struct vocab *v, const char *key, size_t n, int32_t id, struct err *err)
{
	uint32_t hash = (uint32_t)vocab_hash(key, n);
	struct vocab_slot *slot;

	if ((!v->slots || v->count * 2 > v->mask) && grow(v, err))
		return -1;
	slot = find(v, key, n, hash);
	if (slot->id < 0) {
		if (n > UINT32_MAX - v->used)
			return err_set(
				err, ERR_LIMIT, "a vocabulary of more than %u bytes", UINT32_MAX);
		if (mem_grow(&v->keys, &v->cap, v->used + n + 1, 1, err))
			return -1;
		memcpy(v->keys + v->used, key, n);
		*slot = (struct vocab_slot){(uint32_t)v->used, (uint32_t)n, hash, id};
		v->used += n;
		v->count++;
	}
	slot->id = id;
	if (id > v->largest)
		v->largest = id;
	return 0;
}

int32_t vocab_get(const struct vocab *v, const char *key, size_t n)
{
	return v->slots ? find(v, key, n, (uint32_t)vocab_hash(key, n))->id : -1;
}

int vocab_load(struct vocab *v, const struct json *object, struct err *err)
{
	int64_t id;

	if (json_kind(object) != JSON_OBJECT)
		return err_set(err, ERR_CORRUPT, "no vocab");
	for (const struct json *entry = json_first(object); entry; entry = json_next(entry)) {
		const char *key = json_key(entry);

		if (!json_int(entry, &id) || id < 0 || id >= INT32_MAX)
			return err_set(err, ERR_CORRUPT, "the id of '%s' is no number from 0 to %d",
				key, INT32_MAX - 1);
		if (strstr(key, "\xc0\x80"))
			return err_set(
				err, ERR_FAILED, "a token with a zero byte is not supported");
		if (vocab_put(v, key, strlen(key), (int32_t)id, err))
			return -1;
	}
	return 0;
}

void vocab_bytes(const struct vocab *v, int32_t ids[256])
{
	char text[8];

	for (unsigned i = 0; i < 256; i++) {
		snprintf(text, sizeof text, "<0x%02X>", i);
		ids[i] = vocab_get(v, text, 6);
	}
}
