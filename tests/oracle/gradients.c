/*
 * gradients MODEL STREAM OUT: writes, as a model folder, the gradient by each weight of the sum of all chosen
 * log-probs less 0.7 times all rejected ones. For compare.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd_model.h"
#include "io/prefreader.h"
#include "model/decoder.h"

static int read_pack(struct pack *p, float **dlogp, char *stream, struct err *err)
{
	struct tsreader_options options = {.threads = 0};
	struct prefreader *in = prefreader_open(&stream, 1, &options, err);
	struct pref_rec rec;
	int rc = in ? 0 : -1;

	while (rc == 0 && (rc = prefreader_next(in, &rec, err)) == 1) {
		int64_t at = p->counted;

		rc = cmd_pack_record(p, &rec, err);
		*dlogp = realloc(*dlogp, sizeof **dlogp * (size_t)(p->counted + 1));
		for (int c = 0; rc == 0 && *dlogp && c < rec.k; c++)
			for (int64_t end = at + pref_counted(&rec, c); at < end; at++)
				(*dlogp)[at] = c ? -0.7f : 1;
	}
	prefreader_close(in);
	return rc || !*dlogp ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct pack p = PACK_INIT;
	struct logp_row *rows = NULL;
	struct decoder *d = NULL;
	float *dlogp = NULL, *grads = NULL;
	struct model m;

	if (argc != 4)
		return 2;
	if (model_open(&m, argv[1], MODEL_TRAIN, &err) == 0 && read_pack(&p, &dlogp, argv[2], &err) == 0) {
		d = decoder_new(&m, ops_find("cpu"), DECODER_KEEP, &err);
		rows = calloc((size_t)p.counted + 1, sizeof *rows);
		grads = calloc(m.params.count, sizeof *grads);
	}
	if (d && rows && grads && decoder_forward(d, &p, rows, &err) == 0) {
		decoder_backward(d, &p, rows, dlogp, grads, NULL);
		memcpy(m.weights, grads, m.params.count * sizeof *grads);
		if (model_save(&m, argv[3], argv[1], &err) == 0)
			return 0;
	}
	fprintf(stderr, "gradients: %s\n", err.text);
	return 1;
}
