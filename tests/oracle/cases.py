"""Configs of random checkpoints of every family, at odd sizes: what each can be told to do differently."""

GPT2 = dict(model_type="gpt2", vocab_size=211, n_positions=96, n_embd=36, n_layer=3, n_head=3)
GPTJ = dict(model_type="gptj", vocab_size=211, n_positions=96, n_embd=36, n_layer=3, n_head=3, rotary_dim=6)
SIZES = dict(vocab_size=301, hidden_size=40, intermediate_size=77, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=128)
NEOX = dict(SIZES, model_type="gpt_neox", hidden_size=48, num_attention_heads=3)
LLAMA = dict(SIZES, model_type="llama")
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32)
QWEN3 = dict(SIZES, model_type="qwen3", head_dim=14)
GEMMA = dict(SIZES, model_type="gemma", head_dim=18)
GEMMA2 = dict(SIZES, model_type="gemma2", head_dim=18, sliding_window=9, query_pre_attn_scalar=11)
GEMMA3 = dict(SIZES, model_type="gemma3_text", head_dim=18, sliding_window=9, num_hidden_layers=4,
              sliding_window_pattern=3)
SETS = dict(full_attention=dict(rope_type="linear", factor=4.0, rope_theta=5e5), sliding_attention=dict(rope_theta=5e3))
LONGROPE = dict(type="longrope", short_factor=[1.0, 1.5, 1.25, 2.0], long_factor=[2.0, 3.0, 4.5, 6.0])
PHI3 = dict(SIZES, model_type="phi3", head_dim=10, partial_rotary_factor=0.8, original_max_position_embeddings=32,
            rope_scaling=LONGROPE)
SMOLLM3 = dict(SIZES, model_type="smollm3", num_hidden_layers=5, no_rope_layer_interval=2)

CASES = {
    "gpt2": GPT2,
    "gpt2, untied, wide": dict(GPT2, tie_word_embeddings=False, n_inner=51, activation_function="gelu"),
    "gpt2, relu, scaled by layer": dict(GPT2, activation_function="relu", scale_attn_weights=False,
                                        scale_attn_by_inverse_layer_idx=True),
    "gptj": GPTJ,
    "gptj, tied, all of a head turning": dict(GPTJ, tie_word_embeddings=True, rotary_dim=12, n_inner=51),
    "gpt_neox": NEOX,
    "gpt_neox, sequential, tied, without attention's biases": dict(
        NEOX, use_parallel_residual=False, attention_bias=False, rotary_pct=1.0, hidden_act="gelu_fast",
        tie_word_embeddings=True),
    "gpt_neox, transformers 5's rope_parameters": dict(NEOX, rope_parameters=dict(
        rope_type="linear", factor=2.0, partial_rotary_factor=0.5, rope_theta=5000.0)),
    "llama, 2 of 4 key-value heads": LLAMA,
    "llama, tied, head_dim 6, 1 key-value head": dict(LLAMA, tie_word_embeddings=True, head_dim=6,
                                                      num_key_value_heads=1, rms_norm_eps=1e-5),
    "llama, biases, linear scaling": dict(LLAMA, attention_bias=True, mlp_bias=True,
                                          rope_scaling=dict(type="linear", factor=2.5)),
    "llama, llama3 scaling": dict(LLAMA, rope_theta=500000.0, rope_scaling=LLAMA3, num_key_value_heads=4),
    "llama, transformers 5's rope_parameters": dict(LLAMA, rope_parameters=dict(LLAMA3, rope_theta=10000.0)),
    "llama, dynamic scaling": dict(LLAMA, max_position_embeddings=24, rope_scaling=dict(type="dynamic", factor=2.0)),
    "llama, yarn": dict(LLAMA, rope_scaling=dict(YARN, truncate=False, mscale=0.7, mscale_all_dim=1.1)),
    "mistral, window of 7": dict(SIZES, model_type="mistral", sliding_window=7),
    "mistral, nulls": dict(SIZES, model_type="mistral", sliding_window=None, num_key_value_heads=None, head_dim=6),
    "qwen2": dict(SIZES, model_type="qwen2", tie_word_embeddings=True),
    "qwen2, yarn, windows of 5": dict(SIZES, model_type="qwen2", use_sliding_window=True, sliding_window=5,
                                      max_window_layers=1, rope_scaling=YARN),
    "qwen3": QWEN3,
    "qwen3, 1 key-value head, biases, a window of 2": dict(
        QWEN3, num_key_value_heads=1, attention_bias=True, use_sliding_window=True, sliding_window=2,
        layer_types=["full_attention", "sliding_attention", "full_attention"]),
    "gemma": GEMMA,
    "gemma, untied, hidden_act that is not read": dict(GEMMA, head_dim=6, hidden_act="gelu", hidden_activation=None,
                                                       tie_word_embeddings=False),
    "gemma2": GEMMA2,
    "gemma2, tight caps, layer types": dict(
        GEMMA2, attn_logit_softcapping=1.5, final_logit_softcapping=2.0,
        layer_types=["full_attention", "sliding_attention", "sliding_attention"]),
    "gemma2, no caps": dict(GEMMA2, attn_logit_softcapping=None, final_logit_softcapping=None),
    "gemma3_text": dict(GEMMA3, rope_scaling=dict(rope_type="linear", factor=8.0)),
    "gemma3_text, capped, rotations by layer type": dict(GEMMA3, rope_parameters=SETS, final_logit_softcapping=3.0,
                                                         attn_logit_softcapping=1.0),
    "phi3, longrope": PHI3,
    "phi3, window of 11, longrope as su": dict(PHI3, rope_scaling=dict(LONGROPE, type="su", attention_factor=1.1),
                                               sliding_window=11),
    "phi3, transformers 5's rope_parameters": dict(
        PHI3, rope_scaling=None, partial_rotary_factor=None, rope_parameters=dict(
            LONGROPE, rope_type="longrope", partial_rotary_factor=0.8, rope_theta=5000.0, factor=3.0)),
    "olmo2": dict(SIZES, model_type="olmo2", num_key_value_heads=4),
    "olmo2, head_dim 6, biases": dict(SIZES, model_type="olmo2", head_dim=6, attention_bias=True),
    "smollm3": SMOLLM3,
    "smollm3, windows, untied": dict(SMOLLM3, no_rope_layers=[1, 0, 0, 1, 1], use_sliding_window=True,
                                     sliding_window=6, mlp_bias=True, tie_word_embeddings=False),
}
