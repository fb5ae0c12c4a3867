#include "cmd/cmd_ahead.h"

static int fetch(struct batch *b, const struct ahead_want *w, struct err *err)
{
	uint64_t records = prefstore_records(w->store);

	batch_clear(b);
	for (uint64_t i = 0; i < (uint64_t)w->n; i++)
		if (batch_add(b, w->store, batch_record_at(records, w->shuffle, w->seed, w->at + i), w->reference, w->tokens,
			    err))
			return -1;
	return 0;
}

static void *run(void *arg)
{
	struct ahead *a = arg;

	a->rc = fetch(&a->batch, &a->want, &a->err);
	return NULL;
}

static void stop(struct ahead *a)
{
	if (a->running)
		pthread_join(a->thread, NULL);
	a->running = false;
}

int ahead_take(struct ahead *a, const struct ahead_want *want, struct batch *b, struct err *err)
{
	bool fetched = a->running && a->want.at == want->at && a->want.n == want->n;
	struct batch spare = *b;

	stop(a);
	if (!fetched)
		return fetch(b, want, err);
	*b = a->batch;
	a->batch = spare;
	if (a->rc)
		*err = a->err;
	return a->rc;
}

void ahead_start(struct ahead *a, const struct ahead_want *want)
{
	a->want = *want;
	a->err = (struct err)ERR_INIT;
	a->running = pthread_create(&a->thread, NULL, run, a) == 0;
}

void ahead_release(struct ahead *a)
{
	stop(a);
	batch_release(&a->batch);
}
