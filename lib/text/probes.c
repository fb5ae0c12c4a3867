#include "text/probes.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LABEL (-1.0f) /* of a probe */

void probes_init(struct probes *p, const struct pref_schema *schema,
	int (*put)(void *context, const struct pref_rec *rec, struct err *err), void *context)
{
	*p = (struct probes){.schema = *schema, .put = put, .context = context};
}

void probes_release(struct probes *p)
{
	arena_release(&p->kept[0]);
	arena_release(&p->kept[1]);
	arena_release(&p->waiting);
	arena_release(&p->work);
	free(p->queue);
}

static bool same_prompt(const struct pref_rec *a, const struct pref_rec *b)
{
	return pref_len(a, 0) == pref_len(b, 0) &&
	       !memcmp(a->text + a->seg[0], b->text + b->seg[0], (size_t)pref_len(a, 0));
}

/* Appends n bytes, or n zeros. */
static void put_bytes(uint8_t *to, const uint8_t *from, size_t n)
{
	if (from)
		memcpy(to, from, n);
	else
		memset(to, 0, n);
}

/* Puts rec with the completion of other behind its own. */
static int put_with(struct probes *p, const struct pref_rec *rec, const struct pref_rec *other, struct err *err)
{
	size_t own = (size_t)(rec->seg[2] - rec->seg[0]), more = (size_t)pref_len(other, 1);
	struct pref_rec out = *rec;
	char *text;
	int64_t *seg;
	float *label;
	uint8_t *plain;

	arena_clear(&p->work);
	text = arena_new(&p->work, own + more + 1, 1, err);
	plain = arena_new(&p->work, own + more + 1, 1, err);
	seg = arena_new(&p->work, 4, sizeof *seg, err);
	label = arena_new(&p->work, 2, sizeof *label, err);
	if (!text || !plain || !seg || !label)
		return -1;
	memcpy(text, rec->text + rec->seg[0], own);
	memcpy(text + own, other->text + other->seg[1], more);
	if (p->schema.plain) {
		put_bytes(plain, rec->plain ? rec->plain + rec->seg[0] : NULL, own);
		put_bytes(plain + own, other->plain ? other->plain + other->seg[1] : NULL, more);
		out.plain = plain;
	}
	for (int s = 0; s < 3; s++)
		seg[s] = rec->seg[s] - rec->seg[0];
	seg[3] = (int64_t)(own + more);
	label[0] = rec->label[0];
	label[1] = LABEL;
	out.k = 2;
	out.text = text;
	out.seg = seg;
	out.label = label;
	return pref_make_id(&out, err) || p->put(p->context, &out, err) ? -1 : 0;
}

static int wait(struct probes *p, const struct pref_rec *rec, struct err *err)
{
	if (mem_grow(&p->queue, &p->cap, p->n + 1, sizeof *p->queue, err) ||
		pref_copy(&p->queue[p->n], rec, &p->schema, &p->waiting, err))
		return -1;
	p->n++;
	return 0;
}

static int put_waiting(struct probes *p, const struct pref_rec *other, struct err *err)
{
	for (size_t i = 0; i < p->n; i++)
		if (put_with(p, &p->queue[i], other, err))
			return -1;
	p->n = 0;
	arena_clear(&p->waiting);
	return 0;
}

/* rec becomes the last one. */
static int remember(struct probes *p, const struct pref_rec *rec, struct err *err)
{
	if (p->last.k && !same_prompt(&p->last, rec)) {
		struct arena swap = p->kept[0];

		p->kept[0] = p->kept[1];
		p->kept[1] = swap;
		p->other = p->last;
	}
	arena_clear(&p->kept[0]);
	return pref_copy(&p->last, rec, &p->schema, &p->kept[0], err);
}

int probes_add(struct probes *p, const struct pref_rec *rec, struct err *err)
{
	const struct pref_rec *other;

	if (rec->k != 1 || !rec->label)
		return err_set(err, ERR_MISMATCH, "record %016llx has not one completion with a label, to be given a probe",
			(unsigned long long)rec->id);
	if (p->n && !same_prompt(&p->queue[0], rec) && put_waiting(p, rec, err))
		return -1;
	other = p->last.k && !same_prompt(&p->last, rec) ? &p->last : p->other.k ? &p->other : NULL;
	if (other ? put_with(p, rec, other, err) : wait(p, rec, err))
		return -1;
	return remember(p, rec, err);
}

int probes_end(struct probes *p, struct err *err)
{
	if (!p->n)
		return 0;
	return err_set(err, ERR_FAILED, "all %zu records have the same prompt: there is no probe for any", p->n);
}
