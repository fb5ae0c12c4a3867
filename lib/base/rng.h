/*
 * Random numbers by counting: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A number is a function of (seed, stream, index), not of a state, so that shuffles,
 * initial weights, dropout and samples can be had again from any place and by any thread.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

/* 128 random bits for (seed, stream, index). */
void rng_bits(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]);

/* Uniform in [0, 1), of 53 bits. */
double rng_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* Two independent numbers, each normal with mean 0 and variance 1 (Box and Muller). */
void rng_normal(uint64_t seed, uint64_t stream, uint64_t index, double out[2]);

/*
 * Where item i < n goes in a pseudo-random permutation of n items: a Feistel network over the smallest
 * square that holds n, walked until it falls inside. No table, so that shuffling costs no memory.
 */
uint64_t rng_permute(uint64_t seed, uint64_t stream, uint64_t n, uint64_t i);

#endif
