/*
 * A model: its arch, its parameters, and where their values are: in the mapped files, or in memory of its
 * own when they must be converted or trained.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "io/modeldir.h"
#include "model/arch.h"
#include "model/params.h"

struct model {
	struct modeldir dir; /* what it was loaded from; without files after model_init() */
	char *config;	     /* the path of its config */
	struct arch arch;
	struct params params;
	const float **data; /* [params.n] each parameter's values */
	float *weights;     /* params.count floats, or NULL where all are mapped */
};

enum model_use {
	MODEL_READ, /* F32 tensors stay in the files */
	MODEL_TRAIN /* all are copied to m->weights */
};

/*
 * Opens a model folder. Every parameter must be there with its shape, in F32, F16, BF16 or F64, and nothing
 * that is not understood: ERR_MISMATCH names the tensor. Release m in any case.
 */
int model_open(struct model *m, const char *folder, enum model_use use, struct err *err);

/* Random weights for a config file. */
int model_init(struct model *m, const char *config, uint64_t seed, struct err *err);

void model_release(struct model *m);

/* Other values for a model that has its own: weights[m->params.count] takes the place of m->weights. */
void model_set_weights(struct model *m, float *weights);

/*
 * Writes m->weights as a model folder: the tensors' names, dtypes and files as in m->dir (one F32 file
 * after model_init()), its config, and what else the folder settings has. The path is old or new, never half.
 */
int model_save(const struct model *m, const char *path, const char *settings, struct err *err);

/* Values of a role's matrix; data NULL if the arch has none. */
struct mat model_mat(const struct model *m, enum role role, int layer);

/* Values of a gain or, with bias, of a bias; NULL where there is none. */
const float *model_vector(const struct model *m, enum role role, int layer, bool bias);

#endif
