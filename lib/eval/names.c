#include "eval/names.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* The slot that holds the name, or the free one where it belongs. There is always a free one. */
static size_t probe(const struct names *all, const char *s, size_t n)
{
	size_t at = hash_bytes(s, n, 0) & (all->slots - 1);

	for (; all->slot[at]; at = (at + 1) & (all->slots - 1)) {
		int i = all->slot[at] - 1;

		if (all->len[i] == n && !memcmp(all->text[i], s, n))
			break;
	}
	return at;
}

static int grow(struct names *all, struct err *err)
{
	size_t slots = all->slots ? 2 * all->slots : 64;
	int32_t *slot = mem_new(slots, sizeof *slot, err);

	if (!slot)
		return -1;
	free(all->slot);
	all->slot = slot;
	all->slots = slots;
	for (int i = 0; i < all->n; i++)
		slot[probe(all, all->text[i], all->len[i])] = i + 1;
	return 0;
}

int names_add(struct names *all, const char *s, size_t n, struct err *err)
{
	size_t at, room = (size_t)all->n + 1;
	char *copy;

	if (2 * room > all->slots && grow(all, err))
		return -1;
	at = probe(all, s, n);
	if (all->slot[at])
		return all->slot[at] - 1;
	if (all->n == INT_MAX - 1)
		return err_set(err, ERR_LIMIT, "more than %d names", all->n);
	copy = arena_copy(&all->memory, s, n, err);
	if (!copy || mem_grow(&all->text, &all->cap, room, sizeof *all->text, err) ||
		mem_grow(&all->len, &all->lencap, room, sizeof *all->len, err))
		return -1;
	all->text[all->n] = copy;
	all->len[all->n] = n;
	all->slot[at] = ++all->n;
	return all->n - 1;
}

int names_find(const struct names *all, const char *s, size_t n)
{
	return all->slots ? all->slot[probe(all, s, n)] - 1 : -1;
}

const char *names_get(const struct names *all, int i)
{
	return all->text[i];
}

double names_number(const struct names *all, int i)
{
	char *end;
	double x = strtod(all->text[i], &end);

	return end != all->text[i] && !*end && isfinite(x) ? x : NAN;
}

bool names_are_numbers(const struct names *all)
{
	for (int i = 0; i < all->n; i++)
		if (isnan(names_number(all, i)))
			return false;
	return all->n > 1;
}

void names_release(struct names *all)
{
	arena_release(&all->memory);
	free(all->text);
	free(all->len);
	free(all->slot);
	*all = (struct names){.n = 0};
}
