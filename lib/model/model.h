/*
 * A model: its arch, its parameters, and where their values are: in the mapped files, in their own dtype, or in
 * memory of its own when they must be converted or trained.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "io/modeldir.h"
#include "model/arch.h"
#include "model/params.h"

/* A parameter's values, as they are kept: see struct mat. */
struct values {
	const void *data;
	const float *scale;
	enum mat_type type;
};

struct adapter;

struct model {
	struct modeldir dir; /* what it was loaded from; without files after model_init() */
	char *config;	     /* the path of its config */
	struct arch arch;
	struct params params;
	struct values *values;	 /* [params.n] */
	float *weights;		 /* MODEL_TRAIN and model_init(): params.count floats, which are the values; or NULL */
	void *own;		 /* otherwise, values that are not in the files as they are needed */
	void *half;		 /* those that model_halve() made */
	const void *head;	 /* among them, a tied head's, in BF16 [out, in], where the embeddings are not such; or NULL */
	struct adapter *adapter; /* low-rank changes on top (model/adapter.h), or NULL */
};

/* How a model's values are kept. */
enum model_use {
	MODEL_READ,  /* in the mapped files, but for vectors and F64 matrices, which become floats */
	MODEL_INT8,  /* the same, but for the layers' matrices, which are rounded to blocks (num/ops.h) */
	MODEL_NF4,
	MODEL_TRAIN, /* all as floats, in m->weights, which can be trained */
};

/*
 * Opens a model folder. Every parameter must be there with its shape, in F32, F16, BF16 or F64, and nothing
 * that is not understood: ERR_MISMATCH names the tensor. Release m in any case.
 */
int model_open(struct model *m, const char *folder, enum model_use use, struct err *err);

/* All values become floats in m->weights, as by MODEL_TRAIN. ERR_MISMATCH where they were rounded to blocks. */
int model_hold(struct model *m, struct err *err);

/*
 * For products in BF16 (num/half.h) of few rows, which are bound by reading the matrices: those of the layers and the
 * head become BF16 where they are not, stored [out, in]; but for those in blocks. All else stays as it is, embeddings
 * among it, and log-probs what they would be. For a model that is only read from then on.
 */
int model_halve(struct model *m, struct err *err);

/* Random weights for a config file. */
int model_init(struct model *m, const char *config, uint64_t seed, struct err *err);

void model_release(struct model *m);

/* What training changes: the adapter's parameters where there is one, otherwise the model's; and their values. */
const struct params *model_trained(const struct model *m);
float *model_trained_weights(const struct model *m);

/* Other values for them: weights[model_trained(m)->count]. The old ones are the caller's now. */
void model_set_weights(struct model *m, float *weights);

/*
 * The same model with trained values of its own, which begin as m's. It shares all else with m, which must outlive
 * it. Release it in any case.
 */
int model_twin(struct model *twin, const struct model *m, struct err *err);
void model_twin_release(struct model *twin);

/* Bytes that its values take, in memory or mapped files, those of an adapter not counted. */
size_t model_memory(const struct model *m);

/*
 * Writes m->weights as a model folder: the tensors' names, dtypes and files as in m->dir (one F32 file
 * after model_init()), its config, and what else the folder settings has. The path is old or new, never half.
 */
int model_save(const struct model *m, const char *path, const char *settings, struct err *err);

/* A whole parameter's matrix. */
struct mat model_param_mat(const struct model *m, const struct param *p);

/* Values of a role's matrix; data NULL if the arch has none. */
struct mat model_mat(const struct model *m, enum role role, int layer);

/* The head's matrix, the embeddings' where they are tied. */
struct mat model_head(const struct model *m);

/* Values of a gain or, with bias, of a bias; NULL where there is none. */
const float *model_vector(const struct model *m, enum role role, int layer, bool bias);

#endif
