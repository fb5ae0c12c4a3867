/* init CONFIG OUT: a model folder of random weights for a config.json, for benches. */
#include <stdio.h>

#include "model/model.h"

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct model m;

	if (argc != 3)
		return 2;
	if (model_init(&m, argv[1], 0, &err) == 0) {
		char *folder = path_parent(argv[1], &err);

		if (folder && model_save(&m, argv[2], folder, &err) == 0)
			return 0;
	}
	fprintf(stderr, "init: %s\n", err.text);
	return 1;
}
