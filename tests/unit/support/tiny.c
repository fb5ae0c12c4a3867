#include "tests/unit/support/tiny.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/support/check.h"

const char *const tiny_config[] = {
	"{\"model_type\":\"gpt2\",\"vocab_size\":19,\"n_embd\":6,\"n_layer\":2,\"n_head\":2,\"n_positions\":12,"
	"\"initializer_range\":0.4}",
	"{\"model_type\":\"gpt2\",\"vocab_size\":19,\"n_embd\":6,\"n_layer\":1,\"n_head\":3,\"n_positions\":12,\"n_inner\":5,"
	"\"activation_function\":\"gelu\",\"tie_word_embeddings\":false,\"scale_attn_weights\":false,"
	"\"initializer_range\":0.4}",
	"{\"model_type\":\"llama\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":4,\"initializer_range\":0.4}",
	"{\"model_type\":\"llama\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":7,\"num_hidden_layers\":1,"
	"\"num_attention_heads\":3,\"num_key_value_heads\":1,\"head_dim\":2,\"attention_bias\":true,\"mlp_bias\":true,"
	"\"tie_word_embeddings\":true,\"initializer_range\":0.4,\"rope_theta\":100,"
	"\"rope_scaling\":{\"type\":\"linear\",\"factor\":1.5}}",
	"{\"model_type\":\"gptj\",\"vocab_size\":19,\"n_embd\":12,\"n_layer\":2,\"n_head\":2,\"n_inner\":5,\"rotary_dim\":4,"
	"\"initializer_range\":0.4}",
	"{\"model_type\":\"gpt_neox\",\"vocab_size\":19,\"hidden_size\":12,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":2,\"rotary_pct\":0.7,\"tie_word_embeddings\":true,\"initializer_range\":0.4}",
	"{\"model_type\":\"gpt_neox\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":1,"
	"\"num_attention_heads\":3,\"rotary_pct\":1,\"use_parallel_residual\":false,\"initializer_range\":0.4}",
	"{\"model_type\":\"mistral\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":4,\"num_key_value_heads\":1,\"head_dim\":4,\"sliding_window\":3,\"initializer_range\":0.4}",
	"{\"model_type\":\"qwen2\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":4,\"use_sliding_window\":true,"
	"\"sliding_window\":2,\"max_window_layers\":1,\"initializer_range\":0.4}",
	"{\"model_type\":\"qwen3\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":2,\"num_key_value_heads\":2,\"head_dim\":4,\"attention_bias\":true,"
	"\"initializer_range\":0.4}",
	"{\"model_type\":\"gemma\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":4,\"initializer_range\":0.3}",
	"{\"model_type\":\"gemma2\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":4,\"sliding_window\":3,"
	"\"attn_logit_softcapping\":2,\"final_logit_softcapping\":1.5,\"query_pre_attn_scalar\":3,"
	"\"initializer_range\":0.3}",
	"{\"model_type\":\"gemma3_text\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":4,\"sliding_window\":2,"
	"\"sliding_window_pattern\":2,\"rope_theta\":100,\"rope_local_base_freq\":10,\"query_pre_attn_scalar\":3,"
	"\"initializer_range\":0.3}",
	"{\"model_type\":\"phi3\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":6,\"partial_rotary_factor\":0.7,"
	"\"original_max_position_embeddings\":5,\"max_position_embeddings\":9,\"rope_scaling\":{\"type\":\"longrope\","
	"\"short_factor\":[1,2],\"long_factor\":[2,5]},\"initializer_range\":0.4}",
	"{\"model_type\":\"olmo2\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":4,\"initializer_range\":0.4}",
	"{\"model_type\":\"smollm3\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":2,\"num_key_value_heads\":1,\"head_dim\":4,\"no_rope_layer_interval\":2,"
	"\"use_sliding_window\":true,\"sliding_window\":3,\"initializer_range\":0.4}",
};

const size_t tiny_configs = sizeof tiny_config / sizeof *tiny_config;

static char folder[] = "/tmp/test_model.XXXXXX";

int tiny_open(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	return 0;
}

int tiny_close(void **state)
{
	(void)state;
	return rmdir(folder);
}

void tiny_init(struct model *m, const char *config, uint64_t seed)
{
	struct err err = ERR_INIT;
	char path[60];
	FILE *f;

	snprintf(path, sizeof path, "%s/config.json", folder);
	f = fopen(path, "w");
	assert_true(f && fputs(config, f) >= 0 && fclose(f) == 0);
	if (model_init(m, path, seed, &err))
		fail_msg("%s: %s", config, err.text);
	unlink(path);
}

void tiny_init_rough(struct model *m, const char *config, uint64_t seed)
{
	float *noise;

	tiny_init(m, config, seed);
	noise = check_random(seed + 100, (int64_t)m->params.count, 0.2);
	for (size_t i = 0; i < m->params.count; i++)
		m->weights[i] += noise[i];
	free(noise);
}
